"""Matching pursuit: a dictionary without encoder, whose code is found one unit at a time."""

import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.hyperparameters import as_integer, check_range
from aejax.layers.dictionary_layers import decoded, decoder_norms, random_directions
from aejax.layers.low_precision import matmul
from aejax.promotion import promote_arrays
from aejax.types import Array, Autoencoder, Key, Params


def matching_pursuit(
    features: int,
    units: int,
    *,
    k: int,
    decoder_norm: float = 1.0,
    tolerance: float = 0.0,
    stop_at_repetition: bool = False,
    unit_directions: bool = True,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Dictionary whose code is found by k steps of matching pursuit on its directions.

    The residual starts as r = x − c. Each step selects the unit l whose unit direction d_l has the
    largest r · d_l, adds max(r · d_l, 0) / ‖W_d,l‖ to h_l, and subtracts the step's reconstruction
    from r. A unit may be selected again. The gradient flows through all steps, with the selected
    units as constants.

    Args:
        features: number of features of the input and output.
        units: number of units.
        k: number of steps, so that at most k units are active.
        decoder_norm: norm of the initial directions, above 0.
        tolerance: norm of the residual below which no further unit of the example is selected.
        stop_at_repetition: whether an example is finished when a step selects an active unit, or
            adds 0.
        unit_directions: whether directions are divided by their norms, so that r · d_l is a
            cosine times ‖r‖ and each step removes its whole component. Without it, d_l = W_d,l:
            the same for directions of norm 1.
        dtype: dtype of the parameters.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, features] with code [batch, units] and
        parameters {"decoder": {"kernel"}, "centre": {"bias"}}. Components that need an encoder,
        such as `penalties.auxk` and `training.calibrate_threshold`, refuse them.

    Raises:
        ValueError: if a size or k is less than 1, the norm is not positive, or the tolerance is
            negative. `encode` raises it for inputs of another width.

    Source: Mallat & Zhang 1993; Costa et al. 2025 (trained directions).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.matching_pursuit(8, 32, k=3)
        >>> params = model.init(jax.random.key(0))
        >>> int((model.encode(params, jnp.ones((1, 8))) != 0).sum()) <= 3
        True
    """
    for name, size in (("features", features), ("units", units), ("k", k)):
        check_range(f"matching_pursuit's {name}", as_integer(name, size), 1, math.inf)
    check_range("decoder_norm", decoder_norm, sys.float_info.min, math.inf)
    check_range("tolerance", tolerance, 0, math.inf)

    def init(key: Key) -> Params:
        kernel = decoder_norm * random_directions(key, units, features, dtype)
        return {"decoder": {"kernel": kernel}, "centre": {"bias": jnp.zeros(features, dtype)}}

    def encode(params: Params, x: Array) -> Array:
        kernel = params["decoder"]["kernel"]
        if x.ndim != 2 or x.shape[1] != kernel.shape[1]:
            raise ValueError(
                f"expected an array [batch, {kernel.shape[1]}], got shape {list(x.shape)}"
            )
        norms = decoder_norms(params)
        norms = jnp.where(norms > 0, norms, 1) if unit_directions else jnp.ones_like(norms)
        x, directions = promote_arrays(x, kernel / norms[:, None])
        norms = norms.astype(x.dtype)

        def select(state: tuple[Array, Array, Array], _: None) -> tuple[Any, None]:
            residual, code, finished = state
            scores = matmul(residual, directions.T)
            unit = jnp.argmax(scores, axis=1)
            value = jax.nn.relu(jnp.take_along_axis(scores, unit[:, None], axis=1))
            value = jnp.where(finished, jnp.zeros_like(value), value)
            if stop_at_repetition:
                active = jnp.take_along_axis(code, unit[:, None], axis=1) != 0
                finished = finished | active | (value == 0)
            one_hot = jax.nn.one_hot(unit, len(norms), dtype=x.dtype)
            residual = residual - value * directions[unit]
            if tolerance > 0:
                square = jnp.sum(jnp.square(residual), axis=1, keepdims=True)
                finished = finished | (square < tolerance**2)
            return (residual, code + value * one_hot / norms, finished), None

        start = x - params["centre"]["bias"].astype(x.dtype)
        code = jnp.zeros((x.shape[0], len(norms)), x.dtype)
        finished = jnp.zeros((x.shape[0], 1), bool)
        (_, code, _), _ = jax.lax.scan(select, (start, code, finished), length=k)
        return code

    return Autoencoder(init, encode, decoded)
