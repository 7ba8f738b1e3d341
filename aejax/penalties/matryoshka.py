"""Matryoshka dictionaries: prefixes of the units also reconstruct, so that they are general."""

from collections.abc import Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp

from aejax.contracts import describe
from aejax.hyperparameters import as_integer, check_range
from aejax.layers.dictionary_layers import decoded, output_bias
from aejax.layers.low_precision import matmul
from aejax.losses import squared
from aejax.objectives import reconstruction_losses
from aejax.promotion import promote_arrays
from aejax.types import Array, Key, Loss, Pass, Penalty


def matryoshka(*, prefixes: Sequence[int], loss: Loss = squared) -> Penalty:
    """Reconstruction losses of prefixes of the units: Σ_g ℓ(h_{:m_g} W_{:m_g} + c, y).

    With weight 1, the objective is the sum over the prefixes m_1 < … < m_G and all units. The
    prefix of all units may be given; it is the reconstruction loss itself and not added again. All
    prefixes together cost one product with the decoder.

    Args:
        prefixes: numbers of units, in ascending order.
        loss: the elementwise loss, that of the objective.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if the prefixes are not ascending integers of at least 1. The penalty raises it
            for a prefix of more units than there are.

    Example:
        >>> import aejax
        >>> objective = aejax.objective(
        ...     aejax.dictionary(8, 32, activation=aejax.batch_top_k(k=4)), aejax.losses.squared,
        ...     penalties={"prefixes": (1.0, aejax.penalties.matryoshka(prefixes=(8, 16, 32)))})

    Source: Bussmann et al. 2025.
    """
    prefixes = tuple(as_integer("each of matryoshka's prefixes", prefix) for prefix in prefixes)
    if any(prefix < 1 for prefix in prefixes) or any(a >= b for a, b in pairwise(prefixes)):
        raise ValueError(f"matryoshka needs ascending prefixes of at least 1, got {prefixes}")

    def penalty(record: Pass) -> Array:
        kernel, units = record.params["decoder"]["kernel"], _number_of_units(record)
        if prefixes and prefixes[-1] > units:
            raise ValueError(f"matryoshka has a prefix of {prefixes[-1]} of {units} units")
        output = jnp.broadcast_to(output_bias(record.params), record.output.shape)
        output = output.astype(record.output.dtype)
        total = jnp.zeros(len(output), output.dtype)
        for start, stop in pairwise((0, *(prefix for prefix in prefixes if prefix < units))):
            part = matmul(*promote_arrays(record.latent[:, start:stop], kernel[start:stop]))
            output = output + part.astype(output.dtype)
            total = total + reconstruction_losses(loss, record._replace(output=output))
        return total

    return penalty


def random_matryoshka(*, samples: int, exponent: float = 0.5, loss: Loss = squared) -> Penalty:
    """Mean reconstruction loss of random prefixes, which are drawn for each batch.

    The length m of a prefix has the density m^{−1−a} on [1, units + 1), rounded down. Each sample
    costs one product with the decoder.

    Args:
        samples: number of prefixes of a batch.
        exponent: exponent a of the Pareto distribution, above 0; a larger one draws shorter ones.
        loss: the elementwise loss, that of the objective.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `samples` is not an integer of at least 1, or the exponent is not positive.

    Source: Bussmann et al. 2025
    """
    samples = as_integer("random_matryoshka's samples", samples)
    check_range("random_matryoshka's samples", samples, 1, float("inf"))
    check_range("random_matryoshka's exponent", exponent, 1e-6, float("inf"))

    def penalty(record: Pass) -> Array:
        units = _number_of_units(record)

        def loss_of(prefix: Array) -> Array:
            kept = jnp.arange(units) < prefix
            code = jnp.where(kept, record.latent, jnp.zeros_like(record.latent))
            return reconstruction_losses(loss, record._replace(output=decoded(record.params, code)))

        prefixes = random_prefixes(record.key, samples, units, exponent)
        return jnp.mean(jax.lax.map(loss_of, prefixes), axis=0).astype(record.output.dtype)

    return penalty


def random_prefixes(key: Key, samples: int, units: int, exponent: float) -> Array:
    """Draw lengths of prefixes from a truncated Pareto distribution, by its inverse.

    Args:
        key: PRNG key.
        samples: number of lengths.
        units: largest length.
        exponent: exponent a of the density m^{−1−a}.

    Returns:
        Integers in [1, units], [samples].

    Source: Bussmann et al. 2025
    """
    uniform = jax.random.uniform(key, (samples,))
    tail = (units + 1.0) ** -exponent
    lengths = (1 - uniform * (1 - tail)) ** (-1 / exponent)
    return jnp.clip(jnp.floor(lengths).astype(jnp.int32), 1, units)


def _number_of_units(record: Pass) -> int:
    units = record.params["decoder"]["kernel"].shape[0]
    if getattr(record.latent, "shape", ())[1:] != (units,):
        raise ValueError(
            f"matryoshka needs the code [batch, {units}] of a dictionary, got "
            f"{describe(record.latent)}"
        )
    return units
