"""Scan over batches: all full batches in one `lax.scan`, then one call on a smaller last batch."""

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp

from aejax.batch_inputs import as_batch, check_lengths
from aejax.hyperparameters import as_integer
from aejax.types import Array, Batch, BatchLike

Measurements = dict[str, Array]


class DividedData(NamedTuple):
    """Examples divided among n devices in contiguous blocks of equal length.

    blocks: the first n⌊m/n⌋ of m examples; device d stores the d-th block of ⌊m/n⌋.
    rest:   the last m mod n examples, which every device stores; None if there are none.
    """

    blocks: Batch
    rest: Batch | None


Data = Batch | DividedData
"""All examples, whole or divided among devices."""

DEFAULT_BATCH_SIZE = 128
"""Default batch size, for data sets of at least this size."""


def resolve_batch_size(batch_size: Any, examples: int) -> int:
    """Replace a batch size of None by the default.

    Args:
        batch_size: batch size; None for the default.
        examples: number of examples.

    Returns:
        The batch size (default: `DEFAULT_BATCH_SIZE`, or the number of examples if smaller).

    Raises:
        ValueError: if the batch size is not an integer.
    """
    if batch_size is None:
        return min(DEFAULT_BATCH_SIZE, examples)
    return as_integer("batch_size", batch_size)


def check_batch_size(batch_size: Any) -> int:
    """Check that a batch size is a positive integer.

    Args:
        batch_size: batch size.

    Returns:
        The batch size as a Python int.

    Raises:
        ValueError: if it is not an integer or is less than 1.
    """
    size = as_integer("batch_size", batch_size)
    if size < 1:
        raise ValueError(f"the batch size must be 1 or more, got {size}")
    return size


def as_jax_batch(data: BatchLike) -> Batch:
    """Convert to a `Batch` of JAX arrays of equal length.

    Args:
        data: a `Batch` or x alone, concrete or traced.

    Returns:
        The batch.

    Raises:
        ValueError: if `data` is not a batch, or its arrays differ in length.
    """
    batch = jax.tree.map(jnp.asarray, as_batch(data))
    check_lengths(batch)
    return batch


def count_examples(data: Data) -> int:
    """Number of examples, whole or divided among devices."""
    parts = data if isinstance(data, DividedData) else (data,)
    return sum(part.x.shape[0] for part in parts if part is not None)


def take(data: Batch, examples: Array) -> Batch:
    """Select the examples with these indices, in this order."""
    return jax.tree.map(lambda array: array[examples], data)


def scan_batches(
    function: Callable[[Any, Array], tuple[Any, Any]],
    carry: Any,
    order: Array,
    batch_size: SupportsIndex,
) -> tuple[Any, Any]:
    """Scan a function over the full batches of `order`, then call it on the rest, if any.

    Args:
        function: (carry, indices) -> (next carry, measurements), a tree of arrays.
        carry: initial carry.
        order: indices of examples, [examples].
        batch_size: number of indices in a full batch.

    Returns:
        The final carry, and the measurements, each [calls, …].

    Raises:
        ValueError: if the batch size is not an integer of at least 1.
    """
    batch_size = check_batch_size(batch_size)
    full = order.shape[0] // batch_size * batch_size
    batches, remainder = order[:full].reshape(-1, batch_size), order[full:]
    if full == 0 and remainder.shape[0] > 0:  # a scan of length 0 fails under jax.disable_jit
        carry, last = function(carry, remainder)
        return carry, jax.tree.map(lambda step: step[None], last)
    carry, measurements = jax.lax.scan(function, carry, batches)
    if remainder.shape[0] > 0:
        carry, last = function(carry, remainder)
        measurements = jax.tree.map(
            lambda steps, step: jnp.concatenate([steps, step[None]]), measurements, last
        )
    return carry, measurements


Scan = Callable[[Callable[[Any, Batch], tuple[Any, Any]], Any, Data, Array, int], tuple[Any, Any]]
"""(function, carry, data, order, batch_size) -> (carry, measurements), as `scan_examples`."""


def scan_examples(
    function: Callable[[Any, Batch], tuple[Any, Any]],
    carry: Any,
    data: Data,
    order: Array,
    batch_size: SupportsIndex,
) -> tuple[Any, Any]:
    """Scan a function over the batches of whole data in an order, as `scan_batches`.

    Args:
        function: (carry, batch) -> (next carry, measurements), a tree of arrays.
        carry: initial carry.
        data: all examples.
        order: indices of examples, [examples].
        batch_size: number of examples in a full batch.

    Returns:
        The final carry, and the measurements, each [calls, …].
    """
    assert isinstance(data, Batch)
    return scan_batches(
        lambda carry, indices: function(carry, take(data, indices)), carry, order, batch_size
    )


def mean_over_examples(measurements: Any, examples: int, batch_size: int) -> Any:
    """Mean of per-step measurements, weighted by the number of examples of each step.

    Args:
        measurements: tree of measurements, each [steps, …]; the last batch may be smaller.
        examples: number of examples of all steps.
        batch_size: number of examples in a full batch.

    Returns:
        The means, without the leading axis.
    """
    full, remainder = divmod(examples, batch_size)
    sizes = jnp.asarray([batch_size] * full + [remainder] * bool(remainder))

    def mean(steps: Array) -> Array:
        shares = (sizes / examples).astype(steps.dtype)
        return jnp.sum(steps * jnp.expand_dims(shares, range(1, steps.ndim)), axis=0)

    return jax.tree.map(mean, measurements)
