"""Number of active units of a JumpReLU dictionary as a penalty, and its smooth bound."""

import math

import jax
import jax.numpy as jnp

from aejax.hyperparameters import check_range
from aejax.layers.dictionary_layers import decoder_norms, encoder_of, pre_activations
from aejax.layers.jump_relu import check_bandwidth, is_above_threshold
from aejax.penalties.code_selection import encoder_input
from aejax.types import Array, Pass, Penalty


def l0(*, bandwidth: float) -> Penalty:
    """L0 of a JumpReLU dictionary: Σ_l 1[z_l > θ_l], the number of active units.

    The gradient reaches the thresholds alone; it is the estimate with a rectangular kernel.

    Args:
        bandwidth: width ε of the kernel, above 0, usually that of `jump_relu`.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if the bandwidth is not positive. The penalty raises it for a model without
            thresholds.

    Source: Rajamanoharan, Lieberum et al. 2024.
    """
    check_bandwidth("l0", bandwidth)
    return lambda record: _active_units(record, bandwidth)


def target_l0(*, target: float | Array, bandwidth: float) -> Penalty:
    """Squared relative deviation from a target L0: (mean_b L0 / target − 1)².

    Args:
        target: wanted mean number of active units, above 0; it may be traced.
        bandwidth: width ε of the kernel, as of `l0`.

    Returns:
        The penalty, a scalar for the batch.

    Raises:
        ValueError: if the target or the bandwidth is not positive. The penalty raises it for a
            model without thresholds.

    Source: Marks, Karvonen & Mueller 2024 (dictionary_learning).
    """
    check_range("the target of target_l0", target, 1e-30, math.inf)
    check_bandwidth("target_l0", bandwidth)

    def penalty(record: Pass) -> Array:
        return jnp.square(jnp.mean(_active_units(record, bandwidth)) / target - 1)

    return penalty


def target_l0_of_each(*, target: float | Array, bandwidth: float) -> Penalty:
    """Squared deviation of each example from a target L0: (2 / target) (L0_b − target)².

    Args:
        target: wanted number of active units, above 0; it may be traced.
        bandwidth: width ε of the kernel, as of `l0`.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if the target or the bandwidth is not positive. The penalty raises it for a
            model without thresholds.

    Source: McDougall et al. 2025 (Gemma Scope 2).
    """
    check_range("the target of target_l0_of_each", target, 1e-30, math.inf)
    check_bandwidth("target_l0_of_each", bandwidth)

    def penalty(record: Pass) -> Array:
        return 2 / target * jnp.square(_active_units(record, bandwidth) - target)

    return penalty


def tanh_l0(*, scale: float = 4.0) -> Penalty:
    """Smooth bound of L0, weighted by decoder norms: Σ_l tanh(c |h_l| ‖W_d,l‖₂).

    Args:
        scale: factor c, above 0.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if the scale is not positive.

    Source: Conerly et al. 2025.
    """
    check_range("the scale of tanh_l0", scale, 1e-30, math.inf)

    def penalty(record: Pass) -> Array:
        norms = decoder_norms(record.params).astype(record.code.dtype)
        return jnp.sum(jnp.tanh(scale * jnp.abs(record.code) * norms), axis=1)

    return penalty


def l1_by_decoder_norm() -> Penalty:
    """L1 weighted by the norms of the directions: Σ_l |h_l| ‖W_d,l‖₂.

    Unlike L1, it does not change if a unit is scaled and its direction by the inverse.

    Returns:
        The penalty, one value per example: [batch].

    Source: Conerly et al. 2024.
    """

    def penalty(record: Pass) -> Array:
        norms = decoder_norms(record.params).astype(record.code.dtype)
        return jnp.sum(jnp.abs(record.code) * norms, axis=1)

    return penalty


def _active_units(record: Pass, bandwidth: float) -> Array:
    """Number of units above their threshold in each example, [batch]."""
    encoder = encoder_of(record.params)
    if "threshold" not in encoder:
        raise ValueError(
            "L0 needs a dictionary with thresholds, dictionary(…, activation=jump_relu(…)), but "
            f"its encoder has {', '.join(encoder)}"
        )
    z = jax.lax.stop_gradient(pre_activations(record.params, encoder_input(record)))
    active = is_above_threshold(z, encoder["threshold"].astype(z.dtype), bandwidth)
    return jnp.sum(active, axis=1).astype(record.output.dtype)
