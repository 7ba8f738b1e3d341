"""Passes over examples that are read when they are needed: how many steps, and in which order."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from aejax.training.orders import permuted
from aejax.types import Batch, Key


class Stream(NamedTuple):
    """Examples that are read when they are needed.

    read:       numbers of examples, in some order -> these, as a Batch of NumPy arrays; several
                threads call it at once.
    examples:   how many there are; a pass reads each once.
    batch_size: examples a step.
    """

    read: Callable[[np.ndarray], Batch]
    examples: int
    batch_size: int


def steps_of_pass(stream: Stream) -> int:
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


def shuffled(stream: Stream, seed: int, number: int) -> np.ndarray:
    """Numbers of the examples of a step: a fresh random order of all of them for every pass.

    Args:
        stream: of how many examples, in batches of which size.
        seed: of the order, `order_seed`; each pass has its own.
        number: of the step, from 0 on.

    Returns:
        As many numbers as the step has examples.
    """
    seed = (seed + number // steps_of_pass(stream)) % 2**32
    return permuted(stream.examples, seed, in_order(stream, number))


def in_order(stream: Stream, number: int) -> np.ndarray:
    """Numbers of the examples of a step where all are read as they lie."""
    start = number % steps_of_pass(stream) * stream.batch_size
    return np.arange(start, min(start + stream.batch_size, stream.examples))
