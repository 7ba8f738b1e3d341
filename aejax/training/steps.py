"""Pure functions of training: state, step, epoch and evaluation.

PRNG keys are derived from the key and counters of the state, so a resumed run is bit-identical.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Int

from aejax.contracts import check_shape_and_dtype
from aejax.keys import typed_key
from aejax.objectives import Objective, loss_and_statistics
from aejax.repr_text import entries_text, tree_text, value_text
from aejax.training.batches import (
    Data,
    DividedData,
    Measurements,
    Scan,
    as_jax_batch,
    count_examples,
    mean_over_examples,
    scan_examples,
)
from aejax.training.fit_arguments import check_objective, check_optimizer, check_params
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.shuffling import permutation
from aejax.types import Array, Batch, BatchLike, Key, KeyLike, Params, Tracked


class TrainState(NamedTuple):
    """State of a training run, as stored in a checkpoint.

    `step` and `epoch` count completed steps and epochs. `key` is constant; the keys of steps are
    derived from it by folding in the counters. `tracked` is the state of the objective's tracker.
    """

    params: Params
    optimizer_state: optax.OptState
    step: Int[Array, ""]
    epoch: Int[Array, ""]
    key: Key
    tracked: Tracked = None

    def __repr__(self) -> str:
        members = {"members": str(len(self.step))} if getattr(self.step, "ndim", 0) == 1 else {}
        return entries_text(
            type(self).__name__,
            members
            | {
                "params": value_text(self.params),
                "optimizer_state": tree_text(self.optimizer_state, rows=0),
                "step": value_text(self.step),
                "epoch": value_text(self.epoch),
                "key": value_text(self.key),
            }
            | ({} if self.tracked is None else {"tracked": value_text(self.tracked)}),
        )


def init_state(
    objective: Objective, optimizer: optax.GradientTransformation, key: KeyLike
) -> TrainState:
    """Initialise parameters and optimiser state.

    Args:
        objective: objective with the model to initialise.
        optimizer: optax gradient transformation.
        key: PRNG key, split into the keys of the parameters and of the training run.

    Returns:
        A `TrainState` at step 0 of epoch 0.

    Raises:
        ValueError: if an argument has the wrong type, or the parameters are not arrays.
    """
    check_objective(objective)
    check_optimizer(optimizer)
    key_params, key_training = jax.random.split(typed_key(key))
    params = objective.model.init(key_params)
    check_params(params)
    counters = jnp.zeros((2,), jnp.int32)
    with jax.numpy_dtype_promotion("standard"):
        optimizer_state = optimizer.init(params)
    tracked = None if objective.tracker is None else objective.tracker.init(params)
    return TrainState(params, optimizer_state, counters[0], counters[1], key_training, tracked)


def step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    *,
    gradient_of: Gradient = whole_batch,
) -> tuple[TrainState, Measurements]:
    """Take one optimisation step. The function is pure and can be jitted or scanned.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation; line searches are supported.
        state: current state.
        batch: examples of this step.
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.

    Returns:
        The next state, and the measurements: "loss", all terms by name, and "gradient_norm".

    Raises:
        ValueError: if the objective raises it, or its tracker's update changes a shape or dtype.
    """
    _, key_steps = jax.random.split(state.key)
    key = jax.random.fold_in(key_steps, state.step)
    params, tracked = state.params, state.tracked
    measured = partial(loss_and_statistics, objective, tracked=tracked)
    (loss, (terms, statistics)), gradient = gradient_of(measured, params, batch, key)
    if objective.tracker is not None:
        tracked = objective.tracker.update(tracked, statistics)
        check_shape_and_dtype("tracker's update", state.tracked, tracked)
    with jax.numpy_dtype_promotion("standard"):  # optax mixes float rates and integer counts
        updates, optimizer_state = optax.with_extra_args_support(optimizer).update(
            gradient,
            state.optimizer_state,
            params,
            value=loss,
            grad=gradient,
            value_fn=lambda params: measured(params, batch, key)[0],
        )
    # Only one norm, because each reads an array for every parameter array.
    measurements = {"loss": loss, **terms, "gradient_norm": optax.tree.norm(gradient)}
    state = state._replace(
        params=optax.apply_updates(params, updates),
        optimizer_state=optimizer_state,
        step=state.step + 1,
        tracked=tracked,
    )
    return state, measurements


def epoch(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: BatchLike | DividedData,
    *,
    batch_size: int,
    gradient_of: Gradient = whole_batch,
    scan: Scan = scan_examples,
) -> tuple[TrainState, Measurements]:
    """Train for one epoch in random order, as a scan over batches.

    Each example is used exactly once; the last batch may be smaller. The function is pure and can
    be jitted with the state donated.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        state: current state; its key and epoch determine the order.
        data: all examples, a `Batch` or x alone, [examples, *input].
        batch_size: number of examples per step.
        gradient_of: computation of the gradient, `whole_batch` or `accumulated`.
        scan: scan over the batches of the data, that of the placement if they are divided.

    Returns:
        The next state, and the measurements of `step`, each [steps].
    """
    data = _as_jax_data(data)
    key_order, _ = jax.random.split(state.key)
    order = permutation(jax.random.fold_in(key_order, state.epoch), count_examples(data))

    def step_on(state: TrainState, batch: Batch) -> tuple[TrainState, Measurements]:
        return step(objective, optimizer, state, batch, gradient_of=gradient_of)

    state, measurements = scan(step_on, state, data, order, batch_size)
    return state._replace(epoch=state.epoch + 1), measurements


def evaluate(
    objective: Objective,
    params: Params,
    data: BatchLike | DividedData,
    key: KeyLike,
    *,
    batch_size: int,
    tracked: Tracked = None,
    scan: Scan = scan_examples,
) -> Measurements:
    """Mean loss and terms over all data, batch by batch. The function is pure and can be jitted.

    Args:
        objective: objective to evaluate; use `noiseless` to remove its noise.
        params: parameters of the model.
        data: all examples, a `Batch` or x alone, [examples, *input].
        key: PRNG key of the objective's noise; the batch index is folded in.
        batch_size: batch size, on which terms of a batch (KL sparsity) depend.
        tracked: state of the objective's tracker (default: its initial state).
        scan: scan over the batches of the data, that of the placement if they are divided.

    Returns:
        "loss" and all terms by name, each the mean over examples.
    """
    data, key = _as_jax_data(data), typed_key(key)

    def measure(index: Array, batch: Batch) -> tuple[Array, Measurements]:
        key_batch = jax.random.fold_in(key, index)
        loss, (terms, _) = loss_and_statistics(objective, params, batch, key_batch, tracked)
        return index + 1, {"loss": loss, **terms}

    examples = count_examples(data)
    _, measurements = scan(measure, jnp.int32(0), data, jnp.arange(examples), batch_size)
    return mean_over_examples(measurements, examples, batch_size)


def _as_jax_data(data: BatchLike | DividedData) -> Data:
    return data if isinstance(data, DividedData) else as_jax_batch(data)
