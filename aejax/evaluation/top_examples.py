"""Examples with the largest activations of each latent, merged block by block over a stream."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float, Int

from aejax.hyperparameters import as_integer
from aejax.types import Array

MAX_EXAMPLES = 2**31 - 1
"""Largest index of an example, which is an int32."""


class TopExamples(NamedTuple):
    """Examples with the largest |h| of each latent, in descending order.

    activations: activation h of the latent, with its sign; 0 where there is no example.
    examples:    index of the example, or −1 if the latent is not zero on fewer examples.
    """

    activations: Float[Array, "units count"]
    examples: Int[Array, "units count"]


def top_examples(
    codes: Iterable[Float[Array | np.ndarray, "_ units"]], *, count: int = 10
) -> TopExamples:
    """Examples with the largest activations of each latent, over a stream of codes.

    Args:
        codes: codes [batch, units] of consecutive examples; batches may differ in size.
        count: number of examples of each latent, at least 1.

    Returns:
        The `TopExamples`. Of examples with equal |h|, the first ones count.

    Raises:
        ValueError: for no codes, codes of different widths or with NaN, a count below 1, or more
            than 2³¹ − 1 examples.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> code = jnp.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.5]])
        >>> top = evaluation.top_examples([code[:2], code[2:]], count=2)
        >>> top.examples.tolist(), top.activations.tolist()
        ([[1, 2], [2, -1]], [[3.0, 2.0], [0.5, 0.0]])

    Source: Bricken et al. 2023 (top activating examples).
    """
    top, start = None, 0
    for index, code in enumerate(codes):
        code = jnp.asarray(code)
        top = initial_top_examples(code.shape[1], count, code.dtype) if top is None else top
        _check_code(index, code, top)
        if start + len(code) > MAX_EXAMPLES:
            raise ValueError(f"expected at most {MAX_EXAMPLES} examples, got more")
        top, start = _merge(top, code, start), start + len(code)
    if top is None:
        raise ValueError("no examples: pass at least one batch of codes")
    return top


def initial_top_examples(units: int, count: int, dtype: DTypeLike = float) -> TopExamples:
    """`TopExamples` of no examples, from which `merge_top_examples` starts.

    Args:
        units: number of latents.
        count: number of examples of each latent, at least 1.
        dtype: dtype of the activations; `float` is JAX's default.

    Returns:
        The `TopExamples`: activations of 0, and indices of −1.

    Raises:
        ValueError: for a count below 1.
    """
    count = as_integer("count", count)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    return TopExamples(jnp.zeros((units, count), dtype), jnp.full((units, count), -1, jnp.int32))


def merge_top_examples(
    top: TopExamples, code: Float[Array, "batch units"], start: int | Array
) -> TopExamples:
    """Merge a block of codes; a pure function of arrays, for a scan over blocks on the device.

    Args:
        top: examples of the blocks before.
        code: codes of the block.
        start: index of the first example of the block, a scalar.

    Returns:
        The examples of all blocks.
    """
    fresh = jnp.asarray(start, jnp.int32) + jnp.arange(code.shape[0], dtype=jnp.int32)
    values = jnp.concatenate([top.activations, code.T.astype(top.activations.dtype)], axis=1)
    indices = [top.examples, jnp.broadcast_to(fresh, code.T.shape)]
    _, chosen = jax.lax.top_k(jnp.abs(values), top.examples.shape[1])  # the first of equal values
    values = jnp.take_along_axis(values, chosen, axis=1)
    examples = jnp.take_along_axis(jnp.concatenate(indices, axis=1), chosen, axis=1)
    return TopExamples(values, jnp.where(values == 0, -1, examples))


_merge = jax.jit(merge_top_examples)


def _check_code(index: int, code: Array, top: TopExamples) -> None:
    units = top.examples.shape[0]
    if code.ndim != 2 or code.shape[1] != units:
        raise ValueError(f"batch {index}: expected a code [batch, {units}], got {list(code.shape)}")
    if not jnp.isfinite(code).all():
        raise ValueError(f"batch {index}: the code has a value that is not finite")
