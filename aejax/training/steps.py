"""The pure part of training: state, step, epoch and evaluation.

Keys are derived from the state's key and its counters, so a resumed run repeats exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Int

from aejax.keys import typed_key
from aejax.objectives import Objective
from aejax.training.batches import (
    Measurements,
    as_jax_batch,
    mean_over_examples,
    scan_batches,
    take,
)
from aejax.training.fit_arguments import check_objective, check_optimizer
from aejax.training.gradients import Gradient, whole_batch
from aejax.training.shuffling import permutation
from aejax.types import Array, Batch, BatchLike, Key, KeyLike, Params


class TrainState(NamedTuple):
    """All that training carries from step to step, and all that a checkpoint must hold.

    step and epoch count what is done; key never changes: it is folded with the counters.
    """

    params: Params
    optimizer_state: optax.OptState
    step: Int[Array, ""]
    epoch: Int[Array, ""]
    key: Key


def init_state(
    objective: Objective, optimizer: optax.GradientTransformation, key: KeyLike
) -> TrainState:
    """The state before the first step.

    Args:
        objective: gives the model whose parameters are drawn.
        optimizer: any optax gradient transformation.
        key: split into the key of the parameters and the key of the training.

    Returns:
        A `TrainState` at step 0 of epoch 0.

    Raises:
        ValueError: for what is no objective, no optimizer or no key.
    """
    check_objective(objective)
    check_optimizer(optimizer)
    key_params, key_training = jax.random.split(typed_key(key))
    params = objective.model.init(key_params)
    counters = jnp.zeros((2,), jnp.int32)
    with jax.numpy_dtype_promotion("standard"):
        optimizer_state = optimizer.init(params)
    return TrainState(params, optimizer_state, counters[0], counters[1], key_training)


def step(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
    *,
    gradient_of: Gradient = whole_batch,
) -> tuple[TrainState, Measurements]:
    """One step down the gradient of the objective. Pure; jit it or scan it.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation, line searches included.
        state: where training stands; its key is folded with its step.
        batch: the examples of this step.
        gradient_of: how the gradient is computed: at once, or `accumulated`.

    Returns:
        The next state, and the measurements of this step: the loss, every term by name, and the
        norm of the gradient.
    """
    _, key_steps = jax.random.split(state.key)
    key = jax.random.fold_in(key_steps, state.step)
    params = state.params
    (loss, terms), gradient = gradient_of(objective, params, batch, key)
    with jax.numpy_dtype_promotion("standard"):  # optax multiplies rates and counts of steps
        updates, optimizer_state = optax.with_extra_args_support(optimizer).update(
            gradient,
            state.optimizer_state,
            params,
            value=loss,
            grad=gradient,
            value_fn=lambda params: objective(params, batch, key)[0],
        )
    # One norm, no more: each passes over as much memory as the parameters take.
    measurements = {"loss": loss, **terms, "gradient_norm": optax.tree.norm(gradient)}
    state = state._replace(
        params=optax.apply_updates(params, updates),
        optimizer_state=optimizer_state,
        step=state.step + 1,
    )
    return state, measurements


def epoch(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    data: BatchLike,
    *,
    batch_size: int,
    gradient_of: Gradient = whole_batch,
) -> tuple[TrainState, Measurements]:
    """One pass over the data in a fresh random order: a scan of whole batches, then the tail.

    Every example is seen exactly once. The examples that do not fill a batch make one last step
    of their own shape. Pure; jit it with the state donated.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation.
        state: where training stands; the order follows from its key and its epoch.
        data: all examples, a `Batch` or x alone, [examples, *input].
        batch_size: examples a step.
        gradient_of: how `step` computes the gradient.

    Returns:
        The next state, and `step`'s measurements, each [steps].
    """
    data = as_jax_batch(data)
    key_order, _ = jax.random.split(state.key)
    order = permutation(jax.random.fold_in(key_order, state.epoch), data.x.shape[0])

    def step_on(state: TrainState, examples: Array) -> tuple[TrainState, Measurements]:
        batch = take(data, examples)
        return step(objective, optimizer, state, batch, gradient_of=gradient_of)

    state, measurements = scan_batches(step_on, state, order, batch_size)
    return state._replace(epoch=state.epoch + 1), measurements


def evaluate(
    objective: Objective, params: Params, data: BatchLike, key: KeyLike, *, batch_size: int
) -> Measurements:
    """The loss and every term on all of data, batch by batch, in order. Pure; jit it.

    Args:
        objective: what is measured; `noiseless` leaves its noise out.
        params: the model's parameters.
        data: all examples, a `Batch` or x alone, [examples, *input].
        key: of the objective's noise, folded with the batch's number.
        batch_size: examples a batch; terms of the whole batch (KL sparsity) depend on it.

    Returns:
        The loss and every term, each the mean over examples.
    """
    data, key = as_jax_batch(data), typed_key(key)

    def measure(number: Array, examples: Array) -> tuple[Array, Measurements]:
        key_batch = jax.random.fold_in(key, number)
        loss, terms = objective(params, take(data, examples), key_batch)
        return number + 1, {"loss": loss, **terms}

    examples = data.x.shape[0]
    _, measurements = scan_batches(measure, jnp.int32(0), jnp.arange(examples), batch_size)
    return mean_over_examples(measurements, examples, batch_size)
