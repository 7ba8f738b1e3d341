"""Passes over examples that are read when they are needed: how many steps, and in which order."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.batch_inputs import as_batch, check_lengths
from aejax.hyperparameters import as_integer
from aejax.training.index_shuffle import permute_indices
from aejax.types import Batch, BatchLike, Key


class Stream(NamedTuple):
    """Examples that are read when they are needed.

    read:       numbers of examples, in some order -> these, as a Batch of NumPy arrays; several
                threads call it at once.
    examples:   how many there are; a pass reads each once.
    batch_size: examples a step.
    """

    read: Callable[[np.ndarray], BatchLike]
    examples: int
    batch_size: int


def checked_stream(stream: Any) -> Stream:
    """The same stream, of which every batch is checked as it is read.

    Args:
        stream: a `Stream`, which may read x alone, and arrays of any byte order.

    Returns:
        The `Stream`: its counts are Python's, what it reads is a `Batch` of the examples asked for.

    Raises:
        ValueError: for what is no stream, or one without examples or with batches of none; and from
            `read`, for other than the examples asked for.
    """
    if not isinstance(stream, Stream):
        raise ValueError(
            "the stream must be an aejax.training.Stream(read, examples, batch_size), got "
            f"{type(stream).__name__}; fit takes examples that are in memory"
        )

    def read(rows: np.ndarray) -> Batch:
        batch = as_batch(stream.read(rows), "what a stream reads")
        check_lengths(batch)
        if batch.x.shape[0] != len(rows):
            raise ValueError(
                f"the stream was asked for {len(rows)} examples and read {batch.x.shape[0]}"
            )
        return batch

    examples = as_integer("the stream's examples", stream.examples)
    batch_size = as_integer("the stream's batch_size", stream.batch_size)
    if examples < 1 or batch_size < 1:
        raise ValueError(
            "a stream has one example or more, in batches of one or more, got "
            f"{examples} examples and batch_size {batch_size}"
        )
    return Stream(read, examples, batch_size)


def steps_per_pass(stream: Stream) -> int:
    """Steps in which every example is read once; the last takes the remainder.

    Args:
        stream: of how many examples, in batches of which size.

    Returns:
        How many steps.
    """
    return -(-stream.examples // stream.batch_size)


def order_seed(key: Key) -> int:
    """What the order of a stream follows from: 32 bits of the training's key, `TrainState.key`."""
    key_order, _ = jax.random.split(key)
    return int(jax.random.bits(key_order))


def shuffled_indices(stream: Stream, seed: int, steps: range) -> np.ndarray:
    """Numbers of the examples of steps: a fresh random order of all of them for every pass.

    Args:
        stream: of how many examples, in batches of which size.
        seed: of the order, `order_seed`; each pass has its own.
        steps: one or more in a row, from 0 on, all of one pass.

    Returns:
        As many numbers as the steps have examples.
    """
    seed = (seed + steps.start // steps_per_pass(stream)) % 2**32
    return permute_indices(stream.examples, seed, sequential_indices(stream, steps))


def sequential_indices(stream: Stream, steps: range) -> np.ndarray:
    """Numbers of the examples of steps of one pass where all are read as they lie."""
    start = steps.start % steps_per_pass(stream) * stream.batch_size
    return np.arange(start, min(start + len(steps) * stream.batch_size, stream.examples))


def group_steps(stream: Stream, steps: range, *, epoch: int, together: int) -> Iterator[range]:
    """Steps by groups that are read and run as one: groups of so many whole batches, or of one.

    Args:
        stream: of how many examples, in batches of which size.
        steps: from which to which; the first begins an epoch, the last ends one.
        epoch: steps of an epoch; no group reaches beyond its end, nor beyond that of a pass.
        together: steps of a group.

    Yields:
        The groups, in order.
    """
    whole, start = stream.examples // stream.batch_size, steps.start
    while start < steps.stop:
        left = min(whole - start % steps_per_pass(stream), epoch - (start - steps.start) % epoch)
        count = together if left >= together else 1
        yield range(start, start + count)
        start += count
