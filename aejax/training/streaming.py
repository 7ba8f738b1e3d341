"""Training on examples that memory cannot hold: read batch by batch, ahead of the steps.

The order follows from the state's key, and the place in it from the state's step: so a checkpoint
holds where the reader stands, and a resumed training reads exactly what it had not read.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

import jax
import numpy as np
import optax

from aejax.objective import Objective, noiseless
from aejax.training.batches import Measurements
from aejax.training.checks import check_training
from aejax.training.failures import explained
from aejax.training.fitting import check_shares, rehearse, run_epochs, start_from
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.passes import Stream, in_order, order_seed, shuffled, steps_of_pass
from aejax.training.placement import ONE_DEVICE, Placement, held, place_state, placed, put_rows
from aejax.training.records import Callback, Record, record_of, refuse_non_finite
from aejax.training.steps import TrainState, step
from aejax.types import Batch, Key, Params

READERS, AHEAD = 2, 4
"""Threads that read, and batches that wait on the device for their step."""


def fit_stream(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    stream: Stream,
    *,
    epochs: int,
    steps_per_epoch: int | None = None,
    key: Key | None = None,
    state: TrainState | None = None,
    history: Sequence[Record] = (),
    validation: Stream | None = None,
    patience: int | None = None,
    callbacks: Sequence[Callback] = (),
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> tuple[TrainState, list[Record]]:
    """`fit` for a stream: memory holds the state and a few batches, however long it is.

    Threads of Grain read the next batches and put them on the devices while a step runs. On a mesh
    each process reads its devices' share of every batch, and the training is that of one device.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation.
        stream: all examples.
        epochs: until when, those of `state` included.
        steps_per_epoch: after so many steps come a record, the validation and the callbacks; a
            whole pass unless given. Passes follow each other, whatever the epochs.
        key: of a new training.
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
        ValueError: as `fit`, of the first batch; for steps_per_epoch below one.
        NonFiniteLossError: when the loss or gradient stops being finite.
        OutOfMemoryError: when a step needs more memory than the device has.
        LostProcessError: when another process of the training is gone.
        Exception: whatever `stream.read` raises.
    """
    current = start_from(objective, optimizer, key, state)
    length = steps_of_pass(stream) if steps_per_epoch is None else steps_per_epoch
    check_stream(objective, current.params, stream, validation=validation, patience=patience)
    if length < 1:
        raise ValueError(f"steps_per_epoch must be at least 1, got {length}")
    check_shares(stream.batch_size, placement)
    rehearse(objective, current, _first(stream), stream.batch_size)
    current = place_state(placement, current)
    steps = range(int(current.step), epochs * length)
    # Compiled before the first epoch, so that no epoch's seconds contain the compilation.
    run_step = compiled_step(objective, optimizer, current, stream, gradient_of, placement)
    order = partial(shuffled, stream, order_seed(current.key))
    batches = read_ahead(stream, steps, order, placement)
    measure = partial(_evaluate, objective, placement=placement)
    return run_epochs(
        lambda state: run_epoch(run_step, state, islice(batches, length)),
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
    patience: int | None = None,
) -> None:
    """Refuse what `check_training` refuses, of the first batch: the others are read later.

    Args:
        objective: what is to be minimised.
        params: the model's parameters.
        stream: all examples.
        validation: examples to be measured on.
        patience: epochs without improvement to wait for.

    Raises:
        ValueError: as `check_training`.
    """
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


def _first(stream: Stream) -> Batch:
    return stream.read(in_order(stream, 0))


def read_ahead(
    stream: Stream, steps: range, order: Callable[[int], np.ndarray], placement: Placement
) -> Iterator[Batch]:
    """The batches of these steps, in their places; the next ones are read meanwhile."""
    import grain  # here, so that a training in memory is quick to start

    def read(number: int) -> Batch:
        return put_rows(stream.read, order(number), placement)

    source = grain.MapDataset.range(steps.start, steps.stop).map(read)
    options = grain.ReadOptions(num_threads=READERS, prefetch_buffer_size=AHEAD)
    return iter(source.to_iter_dataset(options))


Step = Callable[[TrainState, Batch], tuple[TrainState, Measurements]]


def compiled_step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    stream: Stream,
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> Step:
    """A step whose errors say what it needs, compiled for whole batches and for the tail."""
    programs: dict[int, jax.stages.Compiled] = {}
    for number in {0, steps_of_pass(stream) - 1}:
        batch = put_rows(stream.read, in_order(stream, number), placement)
        programs[batch.x.shape[0]] = _step.lower(
            objective, optimizer, state, batch, gradient_of=gradient_of, placement=placement
        ).compile()

    def run(state: TrainState, batch: Batch) -> tuple[TrainState, Measurements]:
        size = batch.x.shape[0]
        with explained(programs[size], size):
            return programs[size](state, batch)

    return run


@partial(
    jax.jit,
    static_argnums=(0, 1),
    static_argnames=("gradient_of", "placement"),
    donate_argnums=2,
)
def _step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    *,
    gradient_of: Gradient,
    placement: Placement,
) -> tuple[TrainState, Measurements]:
    objective = placed(placement, objective)
    state, measurements = step(objective, optimizer, state, batch, gradient_of=gradient_of)
    return held(placement, state, measurements)


def run_epoch(
    run_step: Step, state: TrainState, batches: Iterator[Batch]
) -> tuple[TrainState, Record]:
    """Some steps, and their record. Measurements are looked at one step late: nothing waits."""
    start, number, epoch = time.perf_counter(), int(state.step), int(state.epoch) + 1
    examples, sums, behind = 0, {}, None

    def look() -> None:
        if behind is not None:
            size, measurements = behind
            values = {name: np.asarray(value) for name, value in measurements.items()}
            refuse_non_finite(values, step=number, epoch=epoch)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + size * float(value)

    for batch in batches:
        state, measurements = run_step(state, batch)
        look()
        size = batch.x.shape[0]
        behind, number, examples = (size, measurements), number + 1, examples + size
    look()
    state = state._replace(epoch=state.epoch + 1)
    means = {name: total / examples for name, total in sums.items()}
    return state, record_of(state, means, examples=examples, seconds=time.perf_counter() - start)


def _evaluate(
    objective: Objective, stream: Stream, state: TrainState, *, placement: Placement
) -> dict[str, float]:
    """`evaluate`, batch by batch as the stream lies."""
    sums: dict[str, float] = {}
    steps = range(steps_of_pass(stream))
    batches = read_ahead(stream, steps, partial(in_order, stream), placement)
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
    loss, terms = placed(placement, noiseless(objective))(params, batch, key)
    return {"loss": loss, **terms}
