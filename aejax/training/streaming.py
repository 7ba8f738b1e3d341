"""Training on examples that memory cannot hold: read batch by batch, ahead of the steps.

The order follows from the state's key, and the place in it from the state's step: so a checkpoint
holds where the reader stands, and a resumed training reads exactly what it had not read.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import SupportsIndex

import jax
import numpy as np
import optax

from aejax.contracts import check_callable
from aejax.hyperparameters import as_integer
from aejax.objectives import Objective, noiseless
from aejax.training.ahead_of_time import Compiled, compile_ahead_of_time
from aejax.training.batches import Measurements
from aejax.training.errors import NonFiniteLossError, explain_runtime_errors
from aejax.training.fit_arguments import check_callbacks
from aejax.training.fitting import (
    check_penalties_eagerly,
    check_shardable,
    initial_state,
    run_epochs,
)
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.placement import (
    ONE_DEVICE,
    Placement,
    constrain_results,
    place_objective,
    place_state,
    put_batch,
)
from aejax.training.preflight_checks import check_training, clip_targets
from aejax.training.records import Callback, Record, epoch_record, finite_steps
from aejax.training.steps import TrainState, step
from aejax.training.stream_batches import (
    Stream,
    checked_stream,
    group_steps,
    order_seed,
    sequential_indices,
    shuffled_indices,
    steps_per_pass,
)
from aejax.types import Batch, Key, KeyLike, Params

NUM_READER_THREADS, PREFETCH_DEPTH = 2, 4
"""Threads that read, and groups of batches that wait on the device for their steps."""

STEP_GROUP_BYTES = 2**23
"""Bytes of examples that are read, and whose steps run, as one: a call costs what it costs, however
small its batch is."""


def fit_stream(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    stream: Stream,
    *,
    epochs: SupportsIndex,
    steps_per_epoch: SupportsIndex | None = None,
    key: KeyLike | None = None,
    state: TrainState | None = None,
    history: Sequence[Record] = (),
    validation: Stream | None = None,
    patience: SupportsIndex | None = None,
    callbacks: Sequence[Callback] = (),
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> tuple[TrainState, list[Record]]:
    """`fit` for a stream: memory holds the state and a few batches, however long it is.

    Threads read the next batches and put them on the devices while a step runs. Small batches are
    read, and their steps run, several at once. On a mesh each process reads its devices' share of
    every batch, and the training is that of one device.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation.
        stream: all examples.
        epochs: until when, those of `state` included.
        steps_per_epoch: after so many steps come a record, the validation and the callbacks; a
            whole pass unless given. Passes follow each other, whatever the epochs.
        key: of a new training; an integer is the seed of one.
        state: where an earlier one stopped, to continue it to the bit; instead of `key`.
        history: the records of the earlier training.
        validation: examples on which the noiseless objective is measured after each epoch.
        patience: stop after so many epochs in a row without a lower validation loss.
        callbacks: called in order as (state, record) after each epoch.
        gradient_of: how each step computes its gradient.
        placement: on which devices the arrays lie.

    Returns:
        The last state, and the history, as `fit`.

    Raises:
        ValueError: as `fit`, of the first batch; for steps_per_epoch below one; for what is no
            stream, or reads other than the examples asked for.
        NonFiniteLossError: when the loss or the parameters stop being finite.
        OutOfMemoryError: when a step needs more memory than the device has.
        LostProcessError: when another process of the training is gone.
        Exception: whatever `stream.read` raises.
    """
    current = initial_state(objective, optimizer, key, state)
    epochs = as_integer("epochs", epochs)
    check_callbacks(callbacks)
    check_callable("gradient_of", gradient_of, "objective params batch key")
    check_stream(objective, current.params, stream, validation=validation, patience=patience)
    stream = checked_stream(stream)
    validation = None if validation is None else checked_stream(validation)
    patience = None if patience is None else as_integer("patience", patience)
    length = steps_per_pass(stream) if steps_per_epoch is None else steps_per_epoch
    length = as_integer("steps_per_epoch", length)
    if length < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {length}")
    check_shardable(stream.batch_size, placement)
    stream = _clipped(objective, stream)
    validation = None if validation is None else _clipped(objective, validation)
    first = _first(stream)
    check_penalties_eagerly(objective, current, first, stream.batch_size)
    current = place_state(placement, current)
    start, left = int(current.step), epochs - int(current.epoch)
    steps = range(start, start + left * length)
    together = steps_per_group(stream, first, length, placement)
    # Compiled before the first epoch, so that no epoch's seconds contain the compilation.
    run_steps = compile_steps(
        objective, optimizer, current, stream, gradient_of, placement, together=together
    )
    order = partial(shuffled_indices, stream, order_seed(current.key))
    groups = group_steps(stream, steps, epoch=length, together=together)
    batches = prefetch(stream, groups, order, placement)
    measure = partial(_evaluate, objective, placement=placement)
    return run_epochs(
        lambda state: run_epoch(run_steps, state, batches, length),
        current,
        epochs=epochs,
        measure=None if validation is None else partial(measure, validation),
        history=history,
        patience=patience,
        callbacks=callbacks,
    )


def check_stream(
    objective: Objective,
    params: Params,
    stream: Stream,
    *,
    validation: Stream | None = None,
    patience: SupportsIndex | None = None,
) -> None:
    """Refuse what `check_training` refuses, of the first batch: the others are read later.

    Args:
        objective: what is to be minimised.
        params: the model's parameters.
        stream: all examples.
        validation: examples to be measured on.
        patience: epochs without improvement to wait for.

    Raises:
        ValueError: as `check_training`, and for what is no stream.
    """
    stream = checked_stream(stream)
    validation = None if validation is None else checked_stream(validation)
    if not 1 <= stream.batch_size <= stream.examples:
        raise ValueError(
            "the batch size must lie between 1 and the number of examples, "
            f"{stream.examples}, got {stream.batch_size}"
        )
    check_training(
        objective,
        params,
        _first(stream),
        batch_size=stream.batch_size,
        validation=None if validation is None else _first(validation),
        patience=patience,
    )


def _clipped(objective: Objective, stream: Stream) -> Stream:
    """The stream with `clip_targets` of every batch that is read."""
    return stream._replace(read=lambda rows: clip_targets(objective, stream.read(rows)))


def _first(stream: Stream) -> Batch:
    return stream.read(sequential_indices(stream, range(1)))


def steps_per_group(stream: Stream, batch: Batch, epoch: int, placement: Placement) -> int:
    """Number of steps read and run as one group of about `STEP_GROUP_BYTES`; 1 on a mesh."""
    whole = min(epoch, stream.examples // stream.batch_size)
    together = STEP_GROUP_BYTES // sum(leaf.nbytes for leaf in jax.tree.leaves(batch))
    return together if placement.batch is None and 1 < together <= whole else 1


def prefetch(
    stream: Stream,
    groups: Iterable[range],
    order: Callable[[range], np.ndarray],
    placement: Placement,
) -> Iterator[Batch]:
    """The examples of these groups of steps, in their places; the next ones are read meanwhile."""

    def read(steps: range) -> Batch:
        return put_batch(stream.read, order(steps), placement)

    with ThreadPoolExecutor(NUM_READER_THREADS) as readers:
        waiting = deque()
        for steps in groups:
            waiting.append(readers.submit(read, steps))
            if len(waiting) > PREFETCH_DEPTH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


Steps = Callable[[TrainState, Batch], tuple[TrainState, Measurements]]


def compile_steps(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    stream: Stream,
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
    *,
    together: int = 1,
) -> Steps:
    """Steps whose errors say what they need, compiled for groups, for single batches and the tail.

    The call takes a state and a group's examples, and returns the state after its steps and their
    measurements, each [steps].
    """
    programs: dict[int, Compiled] = {}
    last = steps_per_pass(stream) - 1
    for steps in (range(together), range(1), range(last, last + 1)):
        examples = put_batch(stream.read, sequential_indices(stream, steps), placement)
        size = examples.x.shape[0]
        if size not in programs:
            programs[size] = compile_ahead_of_time(
                _steps,
                objective,
                optimizer,
                arguments=(state, examples),
                batch_size=min(size, stream.batch_size),
                gradient_of=gradient_of,
                placement=placement,
            )

    def run(state: TrainState, examples: Batch) -> tuple[TrainState, Measurements]:
        size = examples.x.shape[0]
        with explain_runtime_errors(programs[size], min(size, stream.batch_size)):
            return programs[size](state, examples)

    return run


@partial(
    jax.jit,
    static_argnums=(0, 1),
    static_argnames=("batch_size", "gradient_of", "placement"),
    donate_argnums=2,
)
def _steps(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    examples: Batch,
    *,
    batch_size: int,
    gradient_of: Gradient,
    placement: Placement,
) -> tuple[TrainState, Measurements]:
    run = partial(step, place_objective(placement, objective), optimizer, gradient_of=gradient_of)
    batches = jax.tree.map(lambda x: x.reshape(-1, batch_size, *x.shape[1:]), examples)
    state, measurements = jax.lax.scan(run, state, batches)
    return constrain_results(placement, state, measurements)


def run_epoch(
    run_steps: Steps, state: TrainState, groups: Iterator[Batch], length: int
) -> tuple[TrainState, Record]:
    """So many steps, and their record.

    Measurements are looked at one group late: nothing waits.
    """
    start, number, epoch = time.perf_counter(), int(state.step), int(state.epoch) + 1
    examples, measured, sums, behind, end = 0, 0.0, {}, None, number + length

    def look() -> None:
        nonlocal measured
        if behind is not None:
            size, measurements = behind
            values = {name: np.asarray(value) for name, value in measurements.items()}
            finite = finite_steps(values, state.params, step=number, epoch=epoch)
            share = size * float(np.mean(finite))
            measured += share
            for name, value in values.items():
                mean = float(np.mean(value, where=finite)) if share else 0.0
                sums[name] = sums.get(name, 0.0) + share * mean

    while number < end:
        group = next(groups)
        state, measurements = run_steps(state, group)
        look()
        size = group.x.shape[0]
        behind, examples = (size, measurements), examples + size
        number += len(measurements["loss"])
    look()
    state = state._replace(epoch=state.epoch + 1)
    if not measured:
        raise NonFiniteLossError(number, epoch, {"steps of the epoch that were finite": 0})
    means = {name: total / measured for name, total in sums.items()}
    return state, epoch_record(state, means, examples=examples, seconds=time.perf_counter() - start)


def _evaluate(
    objective: Objective, stream: Stream, state: TrainState, *, placement: Placement
) -> dict[str, float]:
    """`evaluate`, batch by batch as the stream lies."""
    sums: dict[str, float] = {}
    steps = range(steps_per_pass(stream))
    groups = (range(number, number + 1) for number in steps)
    batches = prefetch(stream, groups, partial(sequential_indices, stream), placement)
    for number, batch in zip(steps, batches, strict=True):
        key = jax.random.fold_in(state.key, number)
        found = _measure(objective, state.params, batch, key, placement=placement)
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + batch.x.shape[0] * float(value)
    return {name: total / stream.examples for name, total in sums.items()}


@partial(jax.jit, static_argnums=0, static_argnames="placement")
def _measure(
    objective: Objective, params: Params, batch: Batch, key: Key, *, placement: Placement
) -> Measurements:
    loss, terms = place_objective(placement, noiseless(objective))(params, batch, key)
    return {"loss": loss, **terms}
