"""Batch normalisation with batch or population statistics, without running averages.

The parameters of a layer are {"scale": γ, "bias": β}. If they also contain {"mean", "variance"},
which `training.calibrate` computes, those replace the batch statistics. No state is carried from
step to step.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.types import Array, Params

TRAINABLE_NAMES = frozenset({"scale", "bias"})
STATISTICS_NAMES = frozenset({"mean", "variance"})
OBSERVER = "observer"
"""Key under which `training.calibrate` adds a callback to a layer's parameters, which receives the
`Moments` of the layer's input. `calibrate` removes it before it returns."""


class Moments(NamedTuple):
    """Number of values (size), mean and variance (divided by the number) of each channel."""

    size: Float[Array, ""]
    mean: Float[Array, " channels"]
    variance: Float[Array, " channels"]


def init_batch_normalisation(channels: int, *, dtype: DTypeLike = float) -> Params:
    """Initial parameters γ = 1, β = 0, which leave the normalised values unchanged.

    Args:
        channels: length of the last axis.
        dtype: dtype of the parameters.

    Returns:
        {"scale": [channels], "bias": [channels]}.
    """
    return {"scale": jnp.ones(channels, dtype), "bias": jnp.zeros(channels, dtype)}


def batch_normalisation(
    params: Params, x: Float[Array, "batch *spatial channels"], *, epsilon: float = 1e-5
) -> Float[Array, "batch *spatial channels"]:
    """Batch normalisation γ (x − μ)/√(σ² + ε) + β of each channel.

    μ and σ² are taken over the batch and spatial axes of x, or from the parameters if they contain
    population statistics. Both variances divide by the count. A constant channel becomes β.

    Args:
        params: {"scale", "bias"}, or these with {"mean", "variance"}, each [channels].
        x: input, channels last.
        epsilon: ε ≥ 0, which bounds the gain of channels with a small variance.

    Returns:
        The normalised x.

    Raises:
        ValueError: for a single value per channel, which has no batch statistics.

    Source: Ioffe & Szegedy 2015, algorithms 1 and 2 (their population variance divides by the count
    minus one, this one by the count).
    """
    mean, variance = _statistics(params, x)
    scale = params["scale"] * jax.lax.rsqrt(variance + epsilon)
    return (x - mean) * scale + params["bias"]


def moments(x: Float[Array, "batch *spatial channels"]) -> Moments:
    """Moments of each channel over all other axes.

    The variance is computed from the deviations, so a large mean does not reduce its precision.

    Args:
        x: input, channels last.

    Returns:
        The `Moments`.
    """
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axis=axes)
    variance = jnp.mean(jnp.square(x - mean), axis=axes)
    return Moments(jnp.asarray(x.size // x.shape[-1], x.dtype), mean, variance)


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two sets of values, exact up to rounding.

    Args:
        a: moments of the first set, which may be empty.
        b: moments of the second set, which may not.

    Returns:
        The `Moments` of the union.

    Source: Chan, Golub & LeVeque 1983.
    """
    size = a.size + b.size
    share_a, share_b = a.size / size, b.size / size
    difference = b.mean - a.mean
    return Moments(
        size,
        a.mean + share_b * difference,
        share_a * a.variance + share_b * b.variance + share_a * share_b * jnp.square(difference),
    )


def remove_statistics(params: Params) -> Params:
    """Remove the population statistics, which training does not accept, from parameters.

    Args:
        params: any tree of parameters; trees without statistics are returned unchanged.

    Returns:
        The tree without "mean" and "variance" in its normalisation layers.
    """
    if not isinstance(params, dict):
        return params
    if params.keys() == TRAINABLE_NAMES | STATISTICS_NAMES:
        return {name: params[name] for name in params if name in TRAINABLE_NAMES}
    return {name: remove_statistics(child) for name, child in params.items()}


def _statistics(params: dict[str, Any], x: Array) -> tuple[Array, Array]:
    if params.keys() >= STATISTICS_NAMES:
        return params["mean"], params["variance"]
    found = moments(x)
    if OBSERVER in params:
        params[OBSERVER](found)
    elif x.size <= x.shape[-1]:
        raise ValueError(
            f"batch statistics need at least two values per channel, got shape {list(x.shape)}; "
            "use a larger batch, or parameters from training.calibrate"
        )
    return found.mean, found.variance
