"""Deep autoencoders with about equally many parameters, and their training by Muon."""

from itertools import pairwise

import optax
from jax.typing import ArrayLike

from aejax import Batch, Objective, training
from aejax.types import Array, Key, Params


def layers(features: int, depth: int, code: int, wanted: int) -> tuple[int, ...]:
    """Sizes of an encoder with equal hidden layers and about the wanted number of parameters."""
    found = [(features, *(width,) * depth, code) for width in range(1, wanted // features)]
    return min(found, key=lambda sizes: abs(num_parameters(sizes) - wanted))


def num_parameters(sizes: tuple[int, ...]) -> int:
    """Number of parameters of an encoder of these sizes and a decoder of the reversed sizes."""
    return sum((a + 1) * b for a, b in pairwise((*sizes, *sizes[-2::-1])))


def train_by_muon(
    objective: Objective,
    x: Array,
    key: Key,
    learning_rate: ArrayLike,
    *,
    epochs: int,
    batch_size: int,
) -> Params:
    """Train by Muon; can be jitted with a traced learning rate.

    Args:
        objective: objective to minimise.
        x: training examples [examples, features].
        key: key of the initial parameters and of the training run.
        learning_rate: maximum learning rate, after a linear warm-up for 5 % of the steps and before
            a cosine decay to zero.
        epochs: epochs of training.
        batch_size: examples per step.

    Returns:
        Parameters.
    """
    steps = epochs * -(-len(x) // batch_size)
    shape = optax.warmup_cosine_decay_schedule(0, 1, max(steps // 20, 1), steps)
    optimizer = training.muon(lambda step: learning_rate * shape(step))
    state, _ = training.train(
        objective, optimizer, Batch(x), key, epochs=epochs, batch_size=batch_size
    )
    return state.params
