"""Batch normalisation without running statistics: those of the batch, or of the population.

A layer's parameters are {"scale": γ, "bias": β}. With {"mean", "variance"} beside them, which
`training.calibrate` computes, these are used instead of the batch's. No state threads through.
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
"""A function beside a layer's parameters that is called with its input's `Moments`: how
`training.calibrate` sees them. It stands in no parameters that leave `calibrate`."""


class Moments(NamedTuple):
    """Number, mean and variance (divided by the count) of some values, for each channel."""

    count: Float[Array, ""]
    mean: Float[Array, " channels"]
    variance: Float[Array, " channels"]


def init_batch_normalisation(channels: int, *, dtype: DTypeLike = float) -> Params:
    """Parameters that leave the normalised values as they are: γ = 1, β = 0.

    Args:
        channels: length of the last axis.
        dtype: of the parameters.

    Returns:
        {"scale": [channels], "bias": [channels]}.
    """
    return {"scale": jnp.ones(channels, dtype), "bias": jnp.zeros(channels, dtype)}


def batch_normalisation(
    params: Params, x: Float[Array, "batch *spatial channels"], *, epsilon: float = 1e-5
) -> Float[Array, "batch *spatial channels"]:
    """γ (x − μ)/√(σ² + ε) + β for each channel.

    μ and σ² are those of x over batch and spatial axes, unless the parameters carry the
    population's. σ² divides by the count in both. A constant channel becomes β.

    Args:
        params: {"scale", "bias"}, or these with {"mean", "variance"}, each [channels].
        x: channels last.
        epsilon: ε ≥ 0, which keeps a channel of small variance from being blown up.

    Returns:
        The normalised x.

    Raises:
        ValueError: for a single value a channel, whose batch statistics say nothing.

    Source: Ioffe & Szegedy 2015, algorithms 1 and 2 (there the population's variance divides by
    the count less one; here it is that of the data as one batch).
    """
    mean, variance = _statistics(params, x)
    scale = params["scale"] * jax.lax.rsqrt(variance + epsilon)
    return (x - mean) * scale + params["bias"]


def moments(x: Float[Array, "batch *spatial channels"]) -> Moments:
    """Moments of each channel over all other axes.

    Args:
        x: channels last.

    Returns:
        The `Moments`, the variance from the deviations, so that large means cost no digits.
    """
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axis=axes)
    variance = jnp.mean(jnp.square(x - mean), axis=axes)
    return Moments(jnp.asarray(x.size // x.shape[-1], x.dtype), mean, variance)


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Moments of the values of both together, exact but for rounding.

    Args:
        a: of some values; perhaps of none.
        b: of one value or more.

    Returns:
        Their `Moments`.

    Source: Chan, Golub & LeVeque 1983.
    """
    count = a.count + b.count
    share_a, share_b = a.count / count, b.count / count
    difference = b.mean - a.mean
    return Moments(
        count,
        a.mean + share_b * difference,
        share_a * a.variance + share_b * b.variance + share_a * share_b * jnp.square(difference),
    )


def remove_statistics(params: Params) -> Params:
    """The same parameters without the population's statistics, as training takes them.

    Args:
        params: any tree; what holds no statistics comes back as it is.

    Returns:
        A tree without "mean" and "variance" in its normalisation layers.
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
            f"batch statistics need two values a channel or more, got shape {list(x.shape)}; "
            "use a larger batch, or parameters from training.calibrate"
        )
    return found.mean, found.variance
