"""Batch after batch without a remainder lost: a scan over the whole ones, then the tail."""

from collections.abc import Callable
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp

from aejax.batch_inputs import as_batch, check_lengths
from aejax.hyperparameters import as_integer
from aejax.types import Array, Batch, BatchLike

Measurements = dict[str, Array]

DEFAULT_BATCH_SIZE = 128
"""Examples a step where no batch size is given and there are as many."""


def resolve_batch_size(batch_size: Any, examples: int) -> int:
    """The batch size that is given, or the default one.

    Args:
        batch_size: examples a step; None for the default.
        examples: how many there are.

    Returns:
        The batch size; by default `DEFAULT_BATCH_SIZE`, or all examples where they are fewer.

    Raises:
        ValueError: for a batch size that is not an integer.
    """
    if batch_size is None:
        return min(DEFAULT_BATCH_SIZE, examples)
    return as_integer("batch_size", batch_size)


def check_batch_size(batch_size: Any) -> int:
    """A batch size that divides any number of examples, with a remainder.

    Args:
        batch_size: examples a step.

    Returns:
        It, as Python's integer.

    Raises:
        ValueError: where it is no integer, or below 1.
    """
    size = as_integer("batch_size", batch_size)
    if size < 1:
        raise ValueError(f"the batch size must be 1 or more, got {size}")
    return size


def as_jax_batch(data: BatchLike) -> Batch:
    """Examples for pure functions: JAX arrays, each with one entry for each example.

    Args:
        data: a `Batch` or x alone, traced or not.

    Returns:
        The `Batch`.

    Raises:
        ValueError: for what is no batch, or arrays of unequal lengths.
    """
    batch = jax.tree.map(jnp.asarray, as_batch(data))
    check_lengths(batch)
    return batch


def take(data: Batch, examples: Array) -> Batch:
    """The examples with these indices, in their order."""
    return jax.tree.map(lambda array: array[examples], data)


def scan_batches(
    function: Callable[[Any, Array], tuple[Any, Measurements]],
    carry: Any,
    order: Array,
    batch_size: SupportsIndex,
) -> tuple[Any, Measurements]:
    """Scan function over whole batches of order; then call it once on the remainder, if any.

    Args:
        function: (carry, examples) -> the next carry, and measurements.
        carry: what the first call is given.
        order: indices of examples; the remainder is its end.
        batch_size: indices in a whole batch.

    Returns:
        The last carry, and the measurements, each [calls].

    Raises:
        ValueError: for a batch size that is not an integer of at least 1.
    """
    batch_size = check_batch_size(batch_size)
    whole = order.shape[0] // batch_size * batch_size
    batches, remainder = order[:whole].reshape(-1, batch_size), order[whole:]
    if whole == 0 and remainder.shape[0] > 0:  # no scan of none: jax.disable_jit cannot do it
        carry, last = function(carry, remainder)
        return carry, jax.tree.map(lambda step: step[None], last)
    carry, measurements = jax.lax.scan(function, carry, batches)
    if remainder.shape[0] > 0:
        carry, last = function(carry, remainder)
        measurements = jax.tree.map(lambda steps, step: jnp.append(steps, step), measurements, last)
    return carry, measurements


def mean_over_examples(measurements: Measurements, examples: int, batch_size: int) -> Measurements:
    """Mean of per-step measurements, each step weighted by its number of examples.

    Args:
        measurements: each [steps], the tail step last.
        examples: how many examples the steps covered.
        batch_size: examples in a whole batch.

    Returns:
        The means, each a scalar.
    """
    whole, remainder = divmod(examples, batch_size)
    sizes = jnp.asarray([batch_size] * whole + [remainder] * bool(remainder))
    return jax.tree.map(
        lambda steps: jnp.sum(steps * (sizes / examples).astype(steps.dtype)), measurements
    )
