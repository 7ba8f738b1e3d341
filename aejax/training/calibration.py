"""Population statistics for batch normalisation, computed exactly after training."""

from collections.abc import Callable
from functools import partial
from typing import SupportsIndex

import jax
import jax.numpy as jnp

from aejax.layers.batch_normalisation import (
    OBSERVER,
    TRAINABLE_NAMES,
    Moments,
    merge_moments,
    remove_statistics,
)
from aejax.training.batches import as_jax_batch, check_batch_size, scan_batches
from aejax.types import Array, Autoencoder, BatchLike, Params

Path = tuple[str, ...]
Observe = Callable[[Path, Moments], None]


def calibrate(
    model: Autoencoder, params: Params, data: BatchLike, *, batch_size: SupportsIndex = 128
) -> Params:
    """Add population statistics to the parameters; `encode` and `decode` then use them.

    The statistics of a layer are mean and variance of its input over all data, where the preceding
    layers are already normalised by population statistics. So evaluating all data as one batch
    gives exactly what training computes for that batch, independent of `batch_size`. Layers are
    visited in order of application; for each, one scan over the data merges the moments of the
    batches. The function is pure and can be jitted with a static batch size.

    Args:
        model: autoencoder that uses `batch_normalisation`.
        params: parameters of the model; existing statistics are replaced.
        data: the population, [examples, *input]: training data as seen by the encoder, including
            any corruption. Only x is used.
        batch_size: batch size of the scans.

    Returns:
        The parameters with "mean" and "variance" in each normalisation layer; unchanged if there
        is none. They are for evaluation; `fit` rejects them until `remove_statistics` is applied.

    Raises:
        ValueError: if the batch size is less than 1, or a layer is applied twice and therefore has
            two populations.

    Source: Ioffe & Szegedy 2015, algorithm 2; Wu & Johnson 2021 (precise statistics).
    """
    data, batch_size = as_jax_batch(data), check_batch_size(batch_size)
    params = remove_statistics(params)
    for path in _layers_in_order(model, params, data.x):
        population = _population(model, params, path, data.x, batch_size)
        params = _with_statistics(params, path, population)
    return params


def _layers_in_order(model: Autoencoder, params: Params, x: Array) -> list[Path]:
    """Paths of the normalisation layers, in order of application."""
    order: list[Path] = []

    def observe(path: Path, _: Moments) -> None:
        if path in order:
            raise ValueError(
                f"the normalisation layer {'/'.join(path)} is applied twice, to inputs of two "
                "populations; give each application separate parameters"
            )
        order.append(path)

    jax.eval_shape(lambda params, x: _run(model, params, x, observe), params, x)
    return order


def _population(
    model: Autoencoder, params: Params, path: Path, x: Array, batch_size: int
) -> Moments:
    """Moments of the input of one layer over all of x."""

    def observe(seen: Path, moments: Moments) -> None:
        if seen == path:
            raise _Reached(moments)

    def of_batch(examples: Array) -> Moments:
        try:
            _run(model, params, x[examples], observe)
        except _Reached as reached:
            return reached.moments
        raise AssertionError(f"the normalisation layer {path} was applied before, but not now")

    def add(total: Moments, examples: Array) -> tuple[Moments, dict[str, Array]]:
        return merge_moments(total, of_batch(examples)), {}

    indices = jnp.arange(x.shape[0])
    shapes = jax.eval_shape(of_batch, indices)
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return scan_batches(add, empty, indices, batch_size)[0]


class _Reached(Exception):  # noqa: N818  (no error)
    """Stops a forward pass at the observed layer, so that later layers are not traced."""

    def __init__(self, moments: Moments):
        self.moments = moments


def _run(model: Autoencoder, params: Params, x: Array, observe: Observe) -> None:
    """Run one pass that calls `observe` with the input moments of each normalisation layer."""
    watched = _with_observers(params, observe)
    model.decode(watched, model.encode(watched, x))


def _with_observers(params: Params, observe: Observe, path: Path = ()) -> Params:
    if not isinstance(params, dict):
        return params
    if params.keys() == TRAINABLE_NAMES:
        return params | {OBSERVER: partial(observe, path)}
    return {name: _with_observers(child, observe, (*path, name)) for name, child in params.items()}


def _with_statistics(params: Params, path: Path, population: Moments) -> Params:
    if not path:
        return params | {"mean": population.mean, "variance": population.variance}
    name, *rest = path
    return params | {name: _with_statistics(params[name], tuple(rest), population)}
