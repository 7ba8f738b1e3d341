"""Training on data sets larger than memory, with batches prefetched by threads.

The key of the state determines the order, and its step the position. So checkpoints need no reader
state, and a resumed run reads exactly the remaining examples.
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
from aejax.objectives import Objective, loss_and_statistics, noiseless
from aejax.training.ahead_of_time import Compiled, compile_ahead_of_time
from aejax.training.batches import Measurements
from aejax.training.device_parts import place_gradient
from aejax.training.epoch_loop import BeforeEpoch, check_keep_best, run_epochs, up_to
from aejax.training.errors import NonFiniteLossError, explain_runtime_errors
from aejax.training.fit_arguments import check_callbacks
from aejax.training.fitting import (
    check_penalties_eagerly,
    check_shardable,
    initial_state,
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
from aejax.types import Batch, Key, KeyLike, Params, Tracked

NUM_READER_THREADS, PREFETCH_DEPTH = 2, 4
"""Number of reader threads, and number of groups of batches prefetched to the device."""

STEP_GROUP_BYTES = 2**23
"""Size of the examples of a group of steps, which are read and run in one call. This amortises the
constant cost of a call over small batches."""


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
    before_epoch: BeforeEpoch | None = None,
    keep_best: bool = False,
    progress: bool = False,
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> tuple[TrainState, list[Record]]:
    """Train on a stream, as `fit` does on data in memory; only a few batches are in memory.

    Threads read the next batches and transfer them to the devices while a step runs. Small batches
    are grouped. On a mesh, each process reads only the shards of its devices; the results are the
    same as on one device.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        stream: all examples.
        epochs: total number of epochs, including those of `state`.
        steps_per_epoch: number of steps between records, validations and callbacks (default: one
            pass). It does not affect the order of the examples.
        key: PRNG key or integer seed of a new run.
        state: final state of an earlier run, to resume it bit-identically; instead of `key`.
        history: records of the earlier run, up to the state.
        validation: examples on which the noise-free objective is evaluated after each epoch.
        patience: number of epochs without a lower validation loss after which training stops.
        callbacks: functions of (state, record), called in order after each epoch; True stops.
        before_epoch: function of the state, applied before each epoch, as in `fit`.
        keep_best: whether to return the state of the best epoch, as `fit`.
        progress: whether to show a bar (in a terminal or notebook) or lines on stderr.
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.
        placement: shardings of the arrays.

    Returns:
        The final state, and the history, as `fit`.

    Raises:
        ValueError: as `fit`, checked on the first batch; if `steps_per_epoch` is less than 1; if
            the stream is invalid or reads another number of examples than requested.
        NonFiniteLossError: if the loss or the parameters become NaN or infinite.
        OutOfMemoryError: if a step needs more memory than the device has.
        LostProcessError: if another process of the training run fails.
        Exception: any exception of `stream.read`.
    """
    current = initial_state(objective, optimizer, key, state)
    epochs = as_integer("epochs", epochs)
    check_callbacks(callbacks)
    check_callable("gradient_of", gradient_of, "objective params batch key")
    if before_epoch is not None:
        check_callable("before_epoch", before_epoch, "state")
    history = up_to(current, history)
    check_keep_best(keep_best, validation, history)
    check_stream(objective, current.params, stream, validation=validation, patience=patience)
    stream = checked_stream(stream)
    validation = None if validation is None else checked_stream(validation)
    patience = None if patience is None else as_integer("patience", patience)
    length = steps_per_pass(stream) if steps_per_epoch is None else steps_per_epoch
    length = as_integer("steps_per_epoch", length)
    if length < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {length}")
    check_shardable(stream.batch_size, placement)
    stream = _with_clipped_targets(objective, stream)
    validation = None if validation is None else _with_clipped_targets(objective, validation)
    first = _first_batch(stream)
    check_penalties_eagerly(objective, current, first, stream.batch_size)
    current = place_state(placement, current)
    start, remaining = int(current.step), epochs - int(current.epoch)
    steps = range(start, start + remaining * length)
    together = steps_per_group(stream, first, length, placement)
    # Compile before the first epoch, so that its recorded duration excludes compilation.
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
        before_epoch=before_epoch,
        placement=placement,
        keep_best=keep_best,
        show_progress=progress,
    )


def check_stream(
    objective: Objective,
    params: Params,
    stream: Stream,
    *,
    validation: Stream | None = None,
    patience: SupportsIndex | None = None,
) -> None:
    """Apply the checks of `check_training` to a stream and its first batch.

    Args:
        objective: objective to minimise.
        params: parameters of the model.
        stream: all examples.
        validation: validation examples.
        patience: patience of early stopping, in epochs.

    Raises:
        ValueError: as `check_training`, and if the stream is invalid.
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
        _first_batch(stream),
        batch_size=stream.batch_size,
        validation=None if validation is None else _first_batch(validation),
        patience=patience,
    )


def _with_clipped_targets(objective: Objective, stream: Stream) -> Stream:
    """Apply `clip_targets` to each batch of a stream."""
    return stream._replace(read=lambda rows: clip_targets(objective, stream.read(rows)))


def _first_batch(stream: Stream) -> Batch:
    return stream.read(sequential_indices(stream, range(1)))


def steps_per_group(stream: Stream, batch: Batch, epoch: int, placement: Placement) -> int:
    """Number of steps read and run as one group of about `STEP_GROUP_BYTES`; 1 on a mesh."""
    full = min(epoch, stream.examples // stream.batch_size)
    together = STEP_GROUP_BYTES // sum(leaf.nbytes for leaf in jax.tree.leaves(batch))
    return together if placement.batch is None and 1 < together <= full else 1


def prefetch(
    stream: Stream,
    groups: Iterable[range],
    order: Callable[[range], np.ndarray],
    placement: Placement,
) -> Iterator[Batch]:
    """Yield the examples of groups of steps, placed on devices, while threads read the next."""

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
    """Compile the steps of a group, of a single batch and of the smaller last batch.

    The result maps a state and the examples of a group to the next state and the measurements, each
    [steps]. Its errors are those of `explain_runtime_errors`.
    """
    programs: dict[int, Compiled] = {}
    last = steps_per_pass(stream) - 1
    for steps in (range(together), range(1), range(last, last + 1)):
        examples = put_batch(stream.read, sequential_indices(stream, steps), placement)
        size = examples.x.shape[0]
        if size not in programs:
            programs[size] = compile_ahead_of_time(
                steps_program,
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
def steps_program(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    examples: Batch,
    *,
    batch_size: int,
    gradient_of: Gradient,
    placement: Placement,
) -> tuple[TrainState, Measurements]:
    """Run the steps of a group of batches; return the state, and the measurements of each step."""
    run = partial(
        step,
        place_objective(placement, objective),
        optimizer,
        gradient_of=place_gradient(placement, gradient_of),
    )
    batches = jax.tree.map(lambda x: x.reshape(-1, batch_size, *x.shape[1:]), examples)
    state, measurements = jax.lax.scan(run, state, batches)
    return constrain_results(placement, state, measurements)


def run_epoch(
    run_steps: Steps, state: TrainState, groups: Iterator[Batch], length: int
) -> tuple[TrainState, Record]:
    """Run `length` steps, and return the next state with the record of the epoch.

    Measurements of a group are read after the next one is dispatched, so that the host does not
    wait for the device.
    """
    start, step_index, epoch = time.perf_counter(), int(state.step), int(state.epoch) + 1
    examples, measured, sums, pending, end = 0, 0.0, {}, None, step_index + length

    def read_pending() -> None:
        nonlocal measured
        if pending is not None:
            size, measurements = pending
            values = {name: np.asarray(value) for name, value in measurements.items()}
            finite = finite_steps(values, state.params, step=step_index, epoch=epoch)
            share = size * float(np.mean(finite))
            measured += share
            for name, value in values.items():
                mean = float(np.mean(value, where=finite)) if share else 0.0
                sums[name] = sums.get(name, 0.0) + share * mean

    while step_index < end:
        group = next(groups)
        state, measurements = run_steps(state, group)
        read_pending()
        size = group.x.shape[0]
        pending, examples = (size, measurements), examples + size
        step_index += len(measurements["loss"])
    read_pending()
    state = state._replace(epoch=state.epoch + 1)
    if not measured:
        raise NonFiniteLossError(step_index, epoch, {"finite steps of the epoch": 0})
    means = {name: total / measured for name, total in sums.items()}
    return state, epoch_record(state, means, examples=examples, seconds=time.perf_counter() - start)


def _evaluate(
    objective: Objective, stream: Stream, state: TrainState, *, placement: Placement
) -> dict[str, float]:
    """`evaluate` for a stream, without shuffling."""
    sums: dict[str, float] = {}
    steps = range(steps_per_pass(stream))
    groups = (range(step, step + 1) for step in steps)
    batches = prefetch(stream, groups, partial(sequential_indices, stream), placement)
    for index, batch in zip(steps, batches, strict=True):
        key = jax.random.fold_in(state.key, index)
        found = _measure(objective, state.params, batch, key, state.tracked, placement=placement)
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + batch.x.shape[0] * float(value)
    return {name: total / stream.examples for name, total in sums.items()}


@partial(jax.jit, static_argnums=0, static_argnames="placement")
def _measure(
    objective: Objective,
    params: Params,
    batch: Batch,
    key: Key,
    tracked: Tracked,
    *,
    placement: Placement,
) -> Measurements:
    objective = place_objective(placement, noiseless(objective))
    loss, (terms, _) = loss_and_statistics(objective, params, batch, key, tracked)
    return {"loss": loss, **terms}
