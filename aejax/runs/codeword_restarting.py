"""Restarts of the codewords of a run that few codes use, between its epochs."""

from collections.abc import Callable

import jax
import numpy as np
import optax

from aejax import training
from aejax.objectives import Objective
from aejax.runs.configuration import Training
from aejax.runs.examples import Examples
from aejax.runs.quantised_objective import start_examples
from aejax.training import TrainState
from aejax.types import Array, Key


def restarts(
    configuration: Training,
    examples: Examples,
    objective: Objective,
    optimizer: optax.GradientTransformation,
) -> Callable[[TrainState], TrainState] | None:
    """Make the function that restarts unused codewords every few epochs.

    The key of a restart depends on that of the run and on the epoch alone, so that a resumed run
    makes the same ones.

    Args:
        configuration: complete settings of a run.
        examples: examples of its data.
        objective: objective of the run.
        optimizer: its optimizer.

    Returns:
        The argument `before_epoch` of `training.fit`; None without restarts. The last epoch is
        never followed by one.
    """
    every = configuration.quantised.restart_every
    if every is None:
        return None
    x = start_examples(examples.train_sample())

    @jax.jit
    def restarted(state: TrainState, x: Array | np.ndarray, key: Key) -> TrainState:
        return training.restart_codewords(objective, optimizer, state, x, key)

    def before_epoch(state: TrainState) -> TrainState:
        epoch = int(state.epoch)
        if epoch == 0 or epoch % every:
            return state
        *_, key = jax.random.split(state.key, 3)  # the first two are of the order and of the steps
        return restarted(state, x, jax.random.fold_in(key, epoch))

    return before_epoch
