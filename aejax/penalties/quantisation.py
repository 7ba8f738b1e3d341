"""Penalties of quantised codes: commitment, codebook, and the entropy of bits."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.layers.codebooks import (
    SelectQuantised,
    entries_of_levels,
    levels_of,
    selected_quantised,
    whole_code,
)
from aejax.types import Array, Pass, Penalty


def commitment(*, select: SelectQuantised = whole_code) -> Penalty:
    """Squared distance of the continuous from the constant quantised code: Σ (z − sg[e])².

    For a residual quantiser it is the sum over the levels d of Σ (z − sg[Σ_{c≤d} e_c])².

    Args:
        select: code -> the `Quantised` of the code's pytree (default: the code itself).

    Returns:
        The penalty, one value per example: [batch]. The usual weight is 0.25.

    Raises:
        ValueError: from the penalty, if the code is not quantised.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, eq. 3; Lee et al. 2022, eq. 7 (residual).
    """

    def penalty(record: Pass) -> Array:
        code = selected_quantised(record.code, select)
        if "codebook" not in _quantiser(record):
            target = jax.lax.stop_gradient(code.quantised)
            return _sum_of_examples(jnp.square(code.continuous - target), axis=0)
        levels = levels_of(record.params, code)
        entries = jax.lax.stop_gradient(levels.entries).astype(levels.residuals.dtype)
        return _sum_of_examples(jnp.square(levels.residuals - entries), axis=1)

    return penalty


def codebook(*, select: SelectQuantised = whole_code) -> Penalty:
    """Squared distance of each codeword from the constant codes that it replaces: Σ (sg[z] − e)².

    For a residual quantiser it is summed over the levels. If the parameters have the mean usage of
    each codeword, a term of value 0 is added whose gradient is the usage in the batch, from which
    `training.averaged_codebook` computes exponential averages.

    Args:
        select: code -> the `Quantised` of the code's pytree (default: the code itself).

    Returns:
        The penalty, one value per example: [batch]. The usual weight is 1.

    Raises:
        ValueError: from the penalty, if the model has no codebook or the code is not quantised.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, eq. 3.
    """

    def penalty(record: Pass) -> Array:
        levels = levels_of(record.params, selected_quantised(record.code, select))
        residuals = jax.lax.stop_gradient(levels.residuals)
        entries = levels.entries.astype(residuals.dtype)
        value = _sum_of_examples(jnp.square(residuals - entries), axis=1)
        usage = _quantiser(record).get("usage")
        if usage is None:
            return value
        tables = usage.reshape(levels.indices.shape[0], -1)
        used = entries_of_levels(tables, levels.indices).astype(value.dtype)
        return value + _sum_of_examples(used - jax.lax.stop_gradient(used), axis=1)

    return penalty


def bit_entropy(
    *,
    temperature: float = 1.0,
    diversity: float = 1.0,
    group: int = 8,
    select: SelectQuantised = whole_code,
) -> Penalty:
    """Entropy of the code of a position, less that of the mean code: E[H(p)] − γ H(E[p]).

    p(c | z) ∝ exp(−‖z − c‖²/τ) is a distribution over the values c = (±1, …, ±1), whose bits are
    independent given z. It is small if each code is certain, and all codes are equally frequent.

    Args:
        temperature: temperature τ of the distribution, above 0.
        diversity: weight γ of the entropy of the mean, at least 0.
        group: number of bits whose joint distribution is averaged, at 2^group values per position.
            For a code of more bits, H(E[p]) is the sum over groups of adjacent bits, an upper
            bound.
        select: code -> the `Quantised` of the code's pytree (default: the code itself).

    Returns:
        The penalty, a scalar for the batch, in nats.

    Raises:
        ValueError: if the temperature is not positive, the diversity is negative or the group is
            not from 1 to 16 bits. The penalty raises it if the code is not quantised.

    Source: Yu et al. 2024, eq. 5; Jansen et al. 2020 (entropies of certain and diverse codes).
    """
    check_range("bit_entropy's temperature", temperature, 1e-30, math.inf)
    check_range("bit_entropy's diversity", diversity, 0, math.inf)
    group = as_integer("bit_entropy's group", group)
    check_range("bit_entropy's group", group, 1, 16)

    def penalty(record: Pass) -> Array:
        z = selected_quantised(record.code, select).continuous
        logits = 4 / temperature * z.reshape(-1, z.shape[-1])
        certain, uncertain = jax.nn.sigmoid(logits), jax.nn.sigmoid(-logits)
        entropies = certain * jax.nn.softplus(-logits) + uncertain * jax.nn.softplus(logits)
        of_mean = jnp.zeros((), z.dtype)
        for start in range(0, z.shape[-1], group):
            bits = slice(start, start + group)
            of_mean = of_mean + _entropy(_mean_joint(certain[:, bits], uncertain[:, bits]))
        return jnp.mean(jnp.sum(entropies, axis=1)) - diversity * of_mean

    return penalty


def _mean_joint(
    certain: Float[Array, "positions bits"], uncertain: Float[Array, "positions bits"]
) -> Float[Array, " values"]:
    """Mean over the positions of the distribution of independent bits."""
    joint = jnp.ones((certain.shape[0], 1), certain.dtype)
    for bit in range(certain.shape[1]):
        pair = jnp.stack([uncertain[:, bit], certain[:, bit]], axis=1)
        joint = (joint[:, :, None] * pair[:, None, :]).reshape(joint.shape[0], -1)
    return jnp.mean(joint, axis=0)


def _entropy(p: Float[Array, " values"]) -> Float[Array, ""]:
    """Entropy with derivative 0 where a probability is 0."""
    return -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1)))


def _quantiser(record: Pass) -> dict[str, Array]:
    return record.params.get("quantiser", {}) if isinstance(record.params, dict) else {}


def _sum_of_examples(values: Array, *, axis: int) -> Array:
    """Sum over all axes except that of the examples."""
    return jnp.sum(values, axis=[each for each in range(values.ndim) if each != axis])
