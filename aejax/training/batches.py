"""Batch after batch without a remainder lost: a scan over the whole ones, then the tail."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aejax.types import Array, Batch

Measurements = dict[str, Array]


def take(data: Batch, examples: Array) -> Batch:
    """The examples with these indices, in their order."""
    return jax.tree.map(lambda array: array[examples], data)


def over_batches(
    function: Callable[[Any, Array], tuple[Any, Measurements]],
    carry: Any,
    order: Array,
    batch_size: int,
) -> tuple[Any, Measurements]:
    """Scan function over whole batches of order; then call it once on the remainder, if any.

    Args:
        function: (carry, examples) -> the next carry, and measurements.
        carry: what the first call is given.
        order: indices of examples; the remainder is its end.
        batch_size: indices in a whole batch.

    Returns:
        The last carry, and the measurements, each [calls].
    """
    whole = order.shape[0] // batch_size * batch_size
    batches, remainder = order[:whole].reshape(-1, batch_size), order[whole:]
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
