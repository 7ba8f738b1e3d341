"""The shell of training: compile once, run epochs, hand a record of each to the callbacks."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import SupportsIndex

import jax
import jax.numpy as jnp
import optax

from aejax.batch_inputs import as_batch
from aejax.contracts import check_callable
from aejax.hyperparameters import as_integer
from aejax.keys import typed_key
from aejax.objectives import Objective, noiseless
from aejax.training.ahead_of_time import compile_ahead_of_time
from aejax.training.batches import Measurements, mean_over_examples, resolve_batch_size
from aejax.training.errors import NonFiniteLossError, explain_runtime_errors
from aejax.training.fit_arguments import (
    check_callbacks,
    check_objective,
    check_optimizer,
    check_state,
)
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.placement import (
    ONE_DEVICE,
    Placement,
    constrain_results,
    place_objective,
    place_state,
    put_array,
)
from aejax.training.preflight_checks import check_training, clip_targets
from aejax.training.records import (
    Callback,
    Record,
    Scalars,
    add_validation,
    epoch_record,
    finite_steps,
    means_of_finite,
    stalled,
)
from aejax.training.steps import TrainState, epoch, evaluate, init_state
from aejax.types import Batch, BatchLike, KeyLike


def fit(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    *,
    epochs: SupportsIndex,
    key: KeyLike | None = None,
    state: TrainState | None = None,
    history: Sequence[Record] = (),
    batch_size: SupportsIndex | None = None,
    validation: BatchLike | None = None,
    patience: SupportsIndex | None = None,
    callbacks: Sequence[Callback] = (),
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> tuple[TrainState, list[Record]]:
    """Train until `epochs` epochs are done, or validation has stopped improving.

    The shell around `epoch`: it compiles once, keeps data on the device, donates the state's
    buffers, and hands a record of each epoch to the callbacks.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation; schedules and clipping are optax's.
        data: all examples, a `Batch` or x alone, [examples, *input].
        epochs: passes over the data, those of `state` included.
        key: of a new run; an integer is the seed of one.
        state: where an earlier run stopped, to continue it to the bit; instead of `key`.
        history: the records of the earlier run.
        batch_size: examples a step (default: 128, or all where they are fewer); the last step of
            an epoch takes the remainder.
        validation: examples on which the noiseless objective is measured after each epoch.
        patience: stop after so many epochs in a row without a lower validation loss.
        callbacks: called in order as (state, record) after each epoch. A state's buffers are
            donated to the next epoch: copy what you keep.
        gradient_of: how each step computes its gradient: at once, or `accumulated` part by part.
        placement: on which devices the arrays lie; `aejax.sharding` makes those of meshes.

    Returns:
        The last state, and the history: a record an epoch with "epoch", "step", "seconds",
        "examples_per_second", the epoch's mean measurements, and under "validation" the loss and
        terms there.

    Raises:
        ValueError: for both or neither of key and state, for a state of another model or optimizer,
            for what is no optimizer, for counts that are no integers, for a batch size that the
            placement cannot divide, and as `check_training`.
        NonFiniteLossError: when the loss or the parameters stop being finite.
        OutOfMemoryError: when a step needs more memory than the device has.
        LostProcessError: when another process of the training is gone.
    """
    current = initial_state(objective, optimizer, key, state)
    epochs = as_integer("epochs", epochs)
    check_callbacks(callbacks)
    check_callable("gradient_of", gradient_of, "objective params batch key")
    check_training(
        objective,
        current.params,
        data,
        batch_size=batch_size,
        validation=validation,
        patience=patience,
    )
    data = as_batch(data)
    validation = None if validation is None else as_batch(validation)
    examples = data.x.shape[0]
    batch_size = resolve_batch_size(batch_size, examples)
    patience = None if patience is None else as_integer("patience", patience)
    check_shardable(batch_size, placement)
    data = clip_targets(objective, data)
    validation = None if validation is None else clip_targets(objective, validation)
    check_penalties_eagerly(objective, current, data, batch_size)
    current = place_state(placement, current)  # the caller's buffers are not ours to donate
    data, validation = jax.tree.map(
        lambda array: put_array(array, placement.data), (data, validation)
    )

    # Compiled before the first epoch, so that no epoch's seconds contain the compilation.
    program = compile_ahead_of_time(
        _epoch,
        objective,
        optimizer,
        arguments=(current, data),
        batch_size=batch_size,
        gradient_of=gradient_of,
        placement=placement,
    )

    def run_epoch(state: TrainState) -> tuple[TrainState, Record]:
        start = time.perf_counter()
        with explain_runtime_errors(program, batch_size):
            state, (measurements, means) = jax.block_until_ready(program(state, data))
        seconds = time.perf_counter() - start
        where = {"step": int(state.step), "epoch": int(state.epoch)}
        finite = finite_steps(measurements, state.params, **where)
        if not finite.any():
            raise NonFiniteLossError(**where, terms={"steps of the epoch that were finite": 0})
        if not finite.all():
            sizes = {"examples": examples, "batch_size": batch_size}
            means = means_of_finite(measurements, finite, **sizes)
        return state, epoch_record(state, means, examples=examples, seconds=seconds)

    def measure(validation: Batch, state: TrainState) -> Measurements:
        with explain_runtime_errors(program, batch_size):
            return jax.block_until_ready(
                _evaluate(objective, state, validation, batch_size=batch_size, placement=placement)
            )

    return run_epochs(
        run_epoch,
        current,
        epochs=epochs,
        measure=None if validation is None else partial(measure, validation),
        history=history,
        patience=patience,
        callbacks=callbacks,
    )


def run_epochs(
    run_epoch: Callable[[TrainState], tuple[TrainState, Record]],
    state: TrainState,
    *,
    epochs: int,
    measure: Callable[[TrainState], Scalars] | None,
    history: Sequence[Record],
    patience: int | None,
    callbacks: Sequence[Callback],
) -> tuple[TrainState, list[Record]]:
    """Epochs until enough are done or validation has stalled, each with its record handed on.

    Args:
        run_epoch: one epoch, and its record.
        state: before the first.
        epochs: until when, those of `state` included.
        measure: the loss and terms on validation examples, where there are any.
        history: the records of earlier epochs.
        patience: as for `stalled`.
        callbacks: called in order as (state, record) after each epoch.

    Returns:
        The last state, and the history with its records.
    """
    history = list(history)
    while int(state.epoch) < epochs and not stalled(history, patience):
        state, record = run_epoch(state)
        if measure is not None:
            add_validation(record, measure(state))
        history.append(record)
        for callback in callbacks:
            callback(state, record)
    return state, history


def initial_state(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    key: KeyLike | None,
    state: TrainState | None,
) -> TrainState:
    """A new state of the key, or the one given; ValueError for both or neither, or another's."""
    check_objective(objective)
    check_optimizer(optimizer)
    if key is not None and state is None:
        return init_state(objective, optimizer, key)
    if state is not None and key is None:
        check_state(objective, optimizer, state)
        return state._replace(key=typed_key(state.key))
    raise ValueError("give either key, for a new run, or state, to continue one")


def check_shardable(batch_size: int, placement: Placement) -> None:
    """Refuse a batch size that the placement cannot divide."""
    if batch_size % placement.shares:
        raise ValueError(
            f"the batch size must be a multiple of {placement.shares}, the devices that share a "
            f"batch, got {batch_size}"
        )


def check_penalties_eagerly(
    objective: Objective, state: TrainState, data: Batch, batch_size: int
) -> None:
    """One batch outside jit, where a penalty sees concrete codes and refuses those out of range."""
    if objective.penalties:
        batch = jax.tree.map(lambda array: jnp.asarray(array[: min(batch_size, 32)]), data)
        objective(state.params, batch, state.key)


# Of the module, so that JAX keeps what they compile: the same objective and optimizer, fitted again
# to data of the same shape, are compiled once.
@partial(
    jax.jit,
    static_argnums=(0, 1),
    static_argnames=("batch_size", "gradient_of", "placement"),
    donate_argnames="state",
)
def _epoch(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: Batch,
    *,
    batch_size: int,
    gradient_of: Gradient,
    placement: Placement,
) -> tuple[TrainState, tuple[Measurements, Measurements]]:
    """The state, the measurements of every step, and their means."""
    objective = place_objective(placement, objective)
    state, measurements = epoch(
        objective, optimizer, state, data, batch_size=batch_size, gradient_of=gradient_of
    )
    means = mean_over_examples(measurements, data.x.shape[0], batch_size)
    return constrain_results(placement, state, (measurements, means))


@partial(jax.jit, static_argnums=0, static_argnames=("batch_size", "placement"))
def _evaluate(
    objective: Objective,
    state: TrainState,
    validation: Batch,
    *,
    batch_size: int,
    placement: Placement,
) -> Measurements:
    objective = place_objective(placement, noiseless(objective))
    return evaluate(objective, state.params, validation, state.key, batch_size=batch_size)
