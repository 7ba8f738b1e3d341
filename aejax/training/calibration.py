"""Population statistics for batch normalisation, computed once, after training."""

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
    """Parameters that carry the population's statistics, which `encode` and `decode` then use.

    A layer's statistics are the mean and variance of its input over all of data, where every layer
    before it is normalised by statistics so found. So on the data as one batch the result computes
    exactly what training computes there, however the data are cut into batches here. Layers are
    visited once, in the order in which they are applied; for each, one scan over the data merges
    the batches' moments, with one batch in memory. Pure; jit it, with the batch size static.

    Args:
        model: any that normalises by `batch_normalisation`.
        params: its parameters; statistics that they carry already are found anew.
        data: the population, [examples, *input]: the training data, as training showed them to the
            encoder (corrupted, if they were). Its x alone is used.
        batch_size: examples a batch.

    Returns:
        The parameters with "mean" and "variance" in each layer that normalises; as they are where
        none does. They are for evaluation: `fit` refuses them, and takes `remove_statistics` ones.

    Raises:
        ValueError: for a batch size below one, or a layer applied twice, which has two populations.

    Source: Ioffe & Szegedy 2015, algorithm 2; Wu & Johnson 2021 (precise statistics).
    """
    data, batch_size = as_jax_batch(data), check_batch_size(batch_size)
    params = remove_statistics(params)
    for path in _order(model, params, data.x):
        population = _population(model, params, path, data.x, batch_size)
        params = _with_statistics(params, path, population)
    return params


def _order(model: Autoencoder, params: Params, x: Array) -> list[Path]:
    """The normalisation layers, in the order in which they are applied."""
    order: list[Path] = []

    def observe(path: Path, _: Moments) -> None:
        if path in order:
            raise ValueError(
                f"the normalisation layer {'/'.join(path)} is applied twice, to inputs of two "
                "populations; give each application parameters of its own"
            )
        order.append(path)

    jax.eval_shape(lambda params, x: _run(model, params, x, observe), params, x)
    return order


def _population(
    model: Autoencoder, params: Params, path: Path, x: Array, batch_size: int
) -> Moments:
    """Moments over all of x of the input of one layer."""

    def observe(seen: Path, moments: Moments) -> None:
        if seen == path:
            raise _Reached(moments)

    def of_batch(examples: Array) -> Moments:
        try:
            _run(model, params, x[examples], observe)
        except _Reached as reached:
            return reached.moments
        raise AssertionError(f"{path} was applied when it was looked for, and now is not")

    def add(total: Moments, examples: Array) -> tuple[Moments, dict[str, Array]]:
        return merge_moments(total, of_batch(examples)), {}

    every = jnp.arange(x.shape[0])
    shapes = jax.eval_shape(of_batch, every)
    none = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return scan_batches(add, none, every, batch_size)[0]


class _Reached(Exception):  # noqa: N818  (no error)
    """Ends a pass at the layer that is looked for: what lies behind it is not even traced."""

    def __init__(self, moments: Moments):
        self.moments = moments


def _run(model: Autoencoder, params: Params, x: Array, observe: Observe) -> None:
    """One pass that shows `observe` the input's moments of each layer that uses its batch's."""
    watched = _watched(params, observe)
    model.decode(watched, model.encode(watched, x))


def _watched(params: Params, observe: Observe, path: Path = ()) -> Params:
    if not isinstance(params, dict):
        return params
    if params.keys() == TRAINABLE_NAMES:
        return params | {OBSERVER: partial(observe, path)}
    return {name: _watched(child, observe, (*path, name)) for name, child in params.items()}


def _with_statistics(params: Params, path: Path, population: Moments) -> Params:
    if not path:
        return params | {"mean": population.mean, "variance": population.variance}
    name, *rest = path
    return params | {name: _with_statistics(params[name], tuple(rest), population)}
