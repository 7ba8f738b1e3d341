"""Usage of a codebook: how often each codeword occurs, perplexity, and rate in bits."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aejax.hyperparameters import as_integer, check_range
from aejax.types import Array


class CodebookUsage(NamedTuple):
    """Usage of K codewords, of all indices together or of each position.

    counts:     number of occurrences of each codeword, [*positions, K].
    used:       fraction of the codewords that occur at all, [*positions].
    bits:       entropy of the indices in bits, the rate of an ideal code: 0 to log₂ K.
    perplexity: 2^bits, the number of equally frequent codewords with that entropy: 1 to K.
    capacity:   log₂ K, the rate of a code of fixed length.
    """

    counts: Int[Array, "*positions codewords"]
    used: Float[Array, "*positions"]
    bits: Float[Array, "*positions"]
    perplexity: Float[Array, "*positions"]
    capacity: float


def codebook_usage(
    indices: Int[Array, "examples *positions"], *, codewords: int, per_position: bool = False
) -> CodebookUsage:
    """Usage of the codewords by the indices of a data set.

    Args:
        indices: index of the codeword of each example, at each position; of a residual quantiser
            the last axis is the level.
        codewords: number K of codewords.
        per_position: whether each position has a usage of its own.

    Returns:
        The `CodebookUsage`.

    Raises:
        ValueError: if there are no indices, or one is not from 0 to K − 1.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017 (rate log₂ K); Shannon 1948 (entropy).

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> usage = evaluation.codebook_usage(jnp.array([0, 0, 1, 1]), codewords=4)
        >>> float(usage.used), float(usage.bits), float(usage.perplexity), usage.capacity
        (0.5, 1.0, 2.0, 2.0)
    """
    codewords = as_integer("codewords", codewords)
    check_range("codewords", codewords, 1, math.inf)
    if indices.size == 0:
        raise ValueError(f"codebook_usage needs at least one index, got {list(indices.shape)}")
    check_range("each index", indices, 0, codewords - 1)
    positions = indices.shape[1:] if per_position else ()
    columns = indices.reshape(indices.shape[0] if per_position else indices.size, -1).T
    counts = jax.vmap(lambda column: jnp.bincount(column, length=codewords))(columns)
    return usage_of_counts(counts.reshape(*positions, codewords))


def usage_of_counts(counts: Int[Array, "*positions codewords"]) -> CodebookUsage:
    """Usage from counts, which can be summed over the batches of a large data set.

    Args:
        counts: number of occurrences of each codeword, with a sum of at least 1.

    Returns:
        The `CodebookUsage`.

    Source: Shannon 1948.
    """
    total = jnp.sum(counts, axis=-1, keepdims=True)
    share = counts.astype(float) / total.astype(float)
    bits = -jnp.sum(share * jnp.log2(jnp.where(counts > 0, share, 1)), axis=-1)
    bits = jnp.maximum(bits, 0)
    used = jnp.mean((counts > 0).astype(float), axis=-1)
    return CodebookUsage(counts, used, bits, jnp.exp2(bits), math.log2(counts.shape[-1]))
