"""JumpReLU: a threshold for each unit, whose gradient is estimated with a rectangular kernel.

The derivative of a step by its threshold is 0 almost everywhere, but that of its expectation is
not. The estimate replaces Dirac's δ(z − θ) by 1/ε for |z − θ| < ε/2, with the bandwidth ε. The
threshold itself is the parameter: an optimizer that moves its logarithm by at most the learning
rate in a step would hardly change θ.
"""

import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.layers.activations import values_above
from aejax.layers.code_activations import CodeActivation
from aejax.types import Array, Params


@jax.custom_jvp
def above_threshold(
    z: Float[Array, "*batch units"], threshold: Float[Array, " units"], bandwidth: float | Array
) -> Float[Array, "*batch units"]:
    """z if z > θ, else 0, with the estimated derivative −(θ/ε) 1[|z − θ| < ε/2] by θ.

    NaN in z or θ gives NaN.

    Args:
        z: pre-activations.
        threshold: thresholds θ.
        bandwidth: width ε of the kernel, a scalar.

    Returns:
        The values.

    Source: Rajamanoharan, Lieberum et al. 2024.
    """
    del bandwidth
    return values_above(z, threshold)


@above_threshold.defjvp
def _above_threshold_jvp(
    primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Array, Array]:
    z, threshold, bandwidth = primals
    z_tangent, threshold_tangent, _ = tangents
    kernel = -threshold * _kernel(z, threshold, bandwidth)
    passed = jnp.where(z > threshold, z_tangent, jnp.zeros_like(z_tangent))
    return above_threshold(*primals), passed + kernel * threshold_tangent


@jax.custom_jvp
def is_above_threshold(
    z: Float[Array, "*batch units"], threshold: Float[Array, " units"], bandwidth: float | Array
) -> Float[Array, "*batch units"]:
    """1 if z > θ, else 0, with derivative −(1/ε) 1[|z − θ| < ε/2] by θ, estimated, and 0 by z.

    Args:
        z: pre-activations.
        threshold: thresholds θ.
        bandwidth: width ε of the kernel, a scalar.

    Returns:
        The values, in the dtype of z.

    Source: Rajamanoharan, Lieberum et al. 2024.
    """
    del bandwidth
    return (z > threshold).astype(z.dtype)


@is_above_threshold.defjvp
def _is_above_threshold_jvp(
    primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Array, Array]:
    _, threshold_tangent, _ = tangents
    return is_above_threshold(*primals), -_kernel(*primals) * threshold_tangent


def jump_relu(*, threshold: float, bandwidth: float) -> CodeActivation:
    """JumpReLU of a dictionary: h_l = z_l if z_l > θ_l, else 0, with trained thresholds θ_l ≥ 0.

    Keep thresholds non-negative by `training.constrained(optimizer, training.non_negative(
    select=lambda params: params["encoder"]["threshold"]))`. Only units with |z_l − θ_l| < ε/2 in
    some example move their threshold, so that θ and ε must fit the scale of the inputs: published
    values are 0.001 for inputs of mean square norm 1, and 0.01 and 0.05 for mean norm √features.

    Args:
        threshold: initial threshold θ of every unit, 0 or more.
        bandwidth: width ε of the kernel of the gradient, above 0.

    Returns:
        The `CodeActivation`, with the parameter "threshold".

    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> activation = aejax.jump_relu(threshold=0.5, bandwidth=0.1)
        >>> params = aejax.dictionary(4, 3, activation=activation).init(jax.random.key(0))
        >>> activation.apply(params["encoder"], jnp.array([[0.4, 0.6, -1.0]])).tolist()
        [[0.0, 0.6000000238418579, 0.0]]

    Source: Rajamanoharan, Lieberum et al. 2024
    """
    check_range("the threshold of jump_relu", threshold, 0, math.inf)
    check_bandwidth("jump_relu", bandwidth)

    def apply(encoder: Params, z: Array) -> Array:
        return above_threshold(z, encoder["threshold"].astype(z.dtype), bandwidth)

    return CodeActivation(
        lambda units, dtype: {"threshold": jnp.full(units, threshold, dtype)}, apply
    )


def check_bandwidth(component: str, bandwidth: float) -> None:
    """Check that a bandwidth is positive and finite.

    Args:
        component: name of the function in the message.
        bandwidth: width of the kernel.

    Raises:
        ValueError: if it is not.
    """
    check_range(f"the bandwidth of {component}", bandwidth, sys.float_info.min, sys.float_info.max)


def _kernel(z: Array, threshold: Array, bandwidth: float | Array) -> Array:
    """Rectangular kernel of area 1 around the threshold."""
    inside = jnp.abs(z - threshold) < jnp.asarray(bandwidth, z.dtype) / 2
    return inside.astype(z.dtype) / jnp.asarray(bandwidth, z.dtype)
