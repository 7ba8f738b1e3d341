"""Training until the validation error has not decreased for a number of evaluations."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from aejax import Batch, Objective, training
from aejax.types import Array, Key, Params
from experiments.harness.training import mean_squared_error


class Stopping(NamedTuple):
    """Length of a training run.

    steps:     optimization steps between two evaluations of the validation error, approximately:
               always whole epochs.
    patience:  number of evaluations without a new minimum after which training ends.
    max_steps: number of optimization steps after which training ends in any case.
    """

    steps: int
    patience: int
    max_steps: int


class Best(NamedTuple):
    """Parameters with the smallest validation error of a training run.

    params:     the parameters.
    validation: their squared error per validation example.
    steps:      number of optimization steps that led to them.
    """

    params: Params
    validation: Array
    steps: Array


def train_until_overfitting(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    x: Array,
    x_validation: Array,
    key: Key,
    *,
    batch_size: int,
    stopping: Stopping,
) -> Best:
    """Train with early stopping; can be jitted.

    Args:
        objective: objective to minimise.
        optimizer: optimizer; its learning rate may be traced.
        x: training examples [examples, features].
        x_validation: validation examples.
        key: key of the initial parameters and of the training run.
        batch_size: examples per step, at most as many as in x.
        stopping: length of the training run.

    Returns:
        The parameters with the smallest validation error.
    """
    epochs = max(1, stopping.steps // -(-len(x) // batch_size))

    def one_epoch(_: Array, state: training.TrainState) -> training.TrainState:
        return training.epoch(objective, optimizer, state, Batch(x), batch_size=batch_size)[0]

    def evaluate(search: _Search) -> _Search:
        state = jax.lax.fori_loop(0, epochs, one_epoch, search.state)
        validation = mean_squared_error(objective, state.params, x_validation)
        better = validation < search.best.validation
        now = Best(state.params, validation, state.step)
        best = jax.tree.map(partial(jnp.where, better), now, search.best)
        return _Search(state, best, jnp.where(better, 0, search.waited + 1))

    def unfinished(search: _Search) -> Array:
        return (search.waited < stopping.patience) & (search.state.step < stopping.max_steps)

    state = training.init_state(objective, optimizer, key)
    start = Best(
        state.params, mean_squared_error(objective, state.params, x_validation), state.step
    )
    return jax.lax.while_loop(unfinished, evaluate, _Search(state, start, jnp.array(0))).best


class _Search(NamedTuple):
    state: training.TrainState
    best: Best
    waited: Array
