"""Streams of examples that are read on demand: the type, its checks, and the order of batches."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.batch_inputs import as_batch, check_lengths
from aejax.hyperparameters import as_integer
from aejax.training.index_shuffle import permute_indices
from aejax.types import Batch, BatchLike, Key


class Stream(NamedTuple):
    """Examples that are read on demand.

    read:       indices -> these examples, as a `Batch` of NumPy arrays; must be thread-safe.
    examples:   total number of examples; a pass reads each once.
    batch_size: number of examples per step.
    """

    read: Callable[[np.ndarray], BatchLike]
    examples: int
    batch_size: int


def checked_stream(stream: Any) -> Stream:
    """Check a stream, and wrap it so that each batch is checked when it is read.

    Args:
        stream: a `Stream`; `read` may return x alone, and arrays of any byte order.

    Returns:
        The stream, with Python ints as counts, and a `read` that returns a `Batch`.

    Raises:
        ValueError: if it is not a `Stream`, or a count is not an integer of at least 1. `read`
            raises it if another number of examples is returned than requested.
    """
    if not isinstance(stream, Stream):
        raise ValueError(
            "the stream must be an aejax.training.Stream(read, examples, batch_size), got "
            f"{type(stream).__name__}; use fit for examples in memory"
        )

    def read(rows: np.ndarray) -> Batch:
        batch = as_batch(stream.read(rows), "the result of the stream's read")
        check_lengths(batch)
        if batch.x.shape[0] != len(rows):
            raise ValueError(
                f"the stream must read the requested {len(rows)} examples, got {batch.x.shape[0]}"
            )
        return batch

    examples = as_integer("the stream's examples", stream.examples)
    batch_size = as_integer("the stream's batch_size", stream.batch_size)
    if examples < 1 or batch_size < 1:
        raise ValueError(
            "a stream needs at least one example and a batch size of at least 1, got "
            f"{examples} examples and batch_size {batch_size}"
        )
    return Stream(read, examples, batch_size)


def steps_per_pass(stream: Stream) -> int:
    """Number of steps of one pass over a stream, including that of the smaller last batch.

    Args:
        stream: the stream.

    Returns:
        The number of steps.
    """
    return -(-stream.examples // stream.batch_size)


def order_seed(key: Key) -> int:
    """Seed of the shuffle of a stream: 32 random bits derived from `TrainState.key`."""
    key_order, _ = jax.random.split(key)
    return int(jax.random.bits(key_order))


def shuffled_indices(stream: Stream, seed: int, steps: range) -> np.ndarray:
    """Indices of the examples of consecutive steps, in a new random order for each pass.

    Args:
        stream: the stream.
        seed: seed from `order_seed`; the index of the pass is added.
        steps: consecutive steps of one pass, counted from the start of the run.

    Returns:
        Indices, [examples].
    """
    seed = (seed + steps.start // steps_per_pass(stream)) % 2**32
    return permute_indices(stream.examples, seed, sequential_indices(stream, steps))


def sequential_indices(stream: Stream, steps: range) -> np.ndarray:
    """Indices of the examples of consecutive steps of one pass, in the order of the stream."""
    start = steps.start % steps_per_pass(stream) * stream.batch_size
    return np.arange(start, min(start + len(steps) * stream.batch_size, stream.examples))


def group_steps(stream: Stream, steps: range, *, epoch: int, together: int) -> Iterator[range]:
    """Divide steps into groups of `together` steps, run as one scan, and single steps.

    Args:
        stream: the stream.
        steps: steps of one or more complete epochs.
        epoch: number of steps per epoch (`steps_per_epoch` of `fit_stream`), which may differ
            from a pass; no group crosses the end of either.
        together: number of steps per group, all with full batches.

    Yields:
        The groups, in order.
    """
    full, start = stream.examples // stream.batch_size, steps.start
    while start < steps.stop:
        left = min(full - start % steps_per_pass(stream), epoch - (start - steps.start) % epoch)
        count = together if left >= together else 1
        yield range(start, start + count)
        start += count
