"""Training loop: compile once, run epochs, and pass the record of each to callbacks."""

import time
from collections.abc import Sequence
from functools import partial
from typing import SupportsIndex

import jax
import jax.numpy as jnp
import optax

from aejax.batch_inputs import as_batch
from aejax.contracts import check_callable
from aejax.data.example_blocks import blocks
from aejax.hyperparameters import as_integer
from aejax.keys import typed_key
from aejax.objectives import Objective, loss_and_statistics, noiseless
from aejax.training.ahead_of_time import compile_ahead_of_time
from aejax.training.batches import (
    Data,
    Measurements,
    count_examples,
    mean_over_examples,
    resolve_batch_size,
)
from aejax.training.device_parts import place_gradient
from aejax.training.epoch_loop import BeforeEpoch, check_keep_best, run_epochs, up_to
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
    put_data,
)
from aejax.training.preflight_checks import check_training, clip_targets
from aejax.training.records import (
    Callback,
    Record,
    epoch_record,
    finite_steps,
    means_of_finite,
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
    before_epoch: BeforeEpoch | None = None,
    keep_best: bool = False,
    progress: bool = False,
    gradient_of: Gradient = whole_batch,
    placement: Placement = ONE_DEVICE,
) -> tuple[TrainState, list[Record]]:
    """Train an autoencoder, with optional validation, early stopping and callbacks.

    `epoch` is compiled once; data stay on the device, and the buffers of the state are donated. On
    a mesh, each device stores its share of the examples; their order is that of one device.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation, including schedules and clipping.
        data: all examples, a `Batch` or x alone, [examples, *input].
        epochs: total number of epochs, including those of `state`.
        key: PRNG key or integer seed of a new run.
        state: final state of an earlier run, to resume it bit-identically; instead of `key`.
        history: records of the earlier run. Those of epochs after the state are dropped, because
            these epochs are trained again.
        batch_size: number of examples per step (default: 128, or all examples if fewer). The last
            batch of an epoch may be smaller.
        validation: examples on which the noise-free objective is evaluated after each epoch.
        patience: number of epochs without a lower validation loss after which training stops.
        callbacks: functions of (state, record), called in order after each epoch. The buffers of
            the state are donated to the next epoch; copy arrays that must be kept. If one returns
            True, training stops after this epoch. Several processes must agree.
        before_epoch: pure function of the state, applied before each epoch, such as a restart of
            codewords (`restart_codewords`) every tenth epoch, `int(state.epoch) % 10 == 0`. It
            returns a state with the same arrays. The same state must give the same result, with a
            key from `state.key`, so that a resumed run, which applies it again, is bit-identical.
        keep_best: whether to return the state of the epoch with the lowest validation loss (the
            first of equal ones) instead of the last, as a copy that needs the memory of a second
            state. A later call resumes from it bit-identically, with the returned history. A
            history whose best epoch is before `state` is refused.
        progress: whether to show a bar (in a terminal or notebook) or lines on stderr.
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.
        placement: shardings of the arrays; see `aejax.sharding`.

    Returns:
        The final or the best state, and the history: one record per epoch with "epoch", "step",
        "seconds", "examples_per_second", the mean measurements of the epoch, and the loss and terms
        on validation data under "validation".

    Raises:
        ValueError: if both or neither of key and state are given; if the state belongs to another
            model or optimizer; if an argument has the wrong type; if before_epoch returns another
            kind of state; if the batch size is not a
            multiple of the devices that share a batch; as `check_training`; and if keep_best is
            given without validation, or with a history whose best epoch is before `state`.
        NonFiniteLossError: if the loss or the parameters become NaN or infinite.
        OutOfMemoryError: if a step needs more memory than the device has.
        LostProcessError: if another process of the training run fails.

    Example:
        >>> import aejax, jax, jax.numpy as jnp, optax
        >>> objective = aejax.objective(aejax.dense((8, 3)), aejax.losses.bernoulli)
        >>> x = jax.random.uniform(jax.random.key(0), (64, 8))
        >>> state, history = aejax.training.fit(objective, optax.adam(1e-2), x, epochs=5, key=0)
        >>> history[-1]["reconstruction"] < history[0]["reconstruction"]
        True
    """
    current = initial_state(objective, optimizer, key, state)
    epochs = as_integer("epochs", epochs)
    check_callbacks(callbacks)
    check_callable("gradient_of", gradient_of, "objective params batch key")
    if before_epoch is not None:
        check_callable("before_epoch", before_epoch, "state")
    history = up_to(current, history)
    check_keep_best(keep_best, validation, history)
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
    current = place_state(placement, current)  # a copy, because buffers are donated
    data = put_data(placement, data)
    validation = None if validation is None else put_data(placement, validation)

    # Compile before the first epoch, so that its recorded duration excludes compilation.
    program = compile_ahead_of_time(
        epoch_program,
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
            raise NonFiniteLossError(**where, terms={"finite steps of the epoch": 0})
        if not finite.all():
            sizes = {"examples": examples, "batch_size": batch_size}
            means = means_of_finite(measurements, finite, **sizes)
        return state, epoch_record(state, means, examples=examples, seconds=seconds)

    def measure(validation: Data, state: TrainState) -> Measurements:
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
        before_epoch=before_epoch,
        placement=placement,
        keep_best=keep_best,
        show_progress=progress,
    )


def initial_state(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    key: KeyLike | None,
    state: TrainState | None,
) -> TrainState:
    """Initialise a state from the key, or check the given one; ValueError for both or neither."""
    check_objective(objective)
    check_optimizer(optimizer)
    if key is not None and state is None:
        return init_state(objective, optimizer, key)
    if state is not None and key is None:
        check_state(objective, optimizer, state)
        return state._replace(key=typed_key(state.key))
    raise ValueError("give either key, for a new run, or state, to resume one")


def check_shardable(batch_size: int, placement: Placement) -> None:
    """Check that a batch can be split equally over the devices that share it."""
    shares = placement.shares
    if batch_size % shares:
        raise ValueError(
            f"the batch size must be a multiple of {shares}, the number of devices that share a "
            f"batch, such as {-(-batch_size // shares) * shares}, got {batch_size}"
        )


def check_penalties_eagerly(
    objective: Objective, state: TrainState, data: Batch, batch_size: int
) -> None:
    """Evaluate one batch outside jit, where penalties can check the range of concrete codes."""
    if objective.penalties:
        size = min(batch_size, 32)
        batch = jax.tree.map(lambda array: jnp.asarray(next(blocks(array))[1][:size]), data)
        loss_and_statistics(objective, state.params, batch, state.key, state.tracked)


# At module level, so that JAX caches the program for the same objective, optimizer and shapes.
@partial(
    jax.jit,
    static_argnums=(0, 1),
    static_argnames=("batch_size", "gradient_of", "placement"),
    donate_argnames="state",
)
def epoch_program(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: Data,
    *,
    batch_size: int,
    gradient_of: Gradient,
    placement: Placement,
) -> tuple[TrainState, tuple[Measurements, Measurements]]:
    """Run one epoch; return the state, and the measurements of every step with their means."""
    objective = place_objective(placement, objective)
    state, measurements = epoch(
        objective,
        optimizer,
        state,
        data,
        batch_size=batch_size,
        gradient_of=place_gradient(placement, gradient_of),
        scan=placement.scan,
    )
    means = mean_over_examples(measurements, count_examples(data), batch_size)
    return constrain_results(placement, state, (measurements, means))


@partial(jax.jit, static_argnums=0, static_argnames=("batch_size", "placement"))
def _evaluate(
    objective: Objective,
    state: TrainState,
    validation: Data,
    *,
    batch_size: int,
    placement: Placement,
) -> Measurements:
    return evaluate(
        place_objective(placement, noiseless(objective)),
        state.params,
        validation,
        state.key,
        batch_size=batch_size,
        tracked=state.tracked,
        scan=placement.scan,
    )
