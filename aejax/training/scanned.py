"""A whole training as one pure function."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from aejax.hyperparameters import as_integer
from aejax.objectives import Objective, noiseless
from aejax.training.batches import Measurements, as_jax_batch, mean_over_examples
from aejax.training.steps import TrainState, epoch, evaluate, init_state
from aejax.types import BatchLike, KeyLike


def train(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: BatchLike,
    key: KeyLike,
    *,
    epochs: int,
    batch_size: int,
    validation: BatchLike | None = None,
    patience: int | None = None,
) -> tuple[TrainState, Measurements]:
    """A whole training as one pure function: made of scans alone, so that it can be vmapped.

    Args:
        objective: what is minimised.
        optimizer: any optax gradient transformation.
        data: all examples, a `Batch` or x alone, [examples, *input].
        key: of the initial parameters and of the training.
        epochs: passes over the data, at least one.
        batch_size: examples a step.
        validation: examples on which it is measured, without noise, after each epoch.
        patience: epochs without improvement on them after which it stops; None stops never.

    Returns:
        The last state, and the means of `step`'s measurements over each epoch, each [epochs]; with
        validation also "validation_loss". The measurements of epochs after it stopped repeat those
        of its last one, which the state counts.

    Raises:
        ValueError: for patience without validation, below one or no integer.
    """
    if patience is not None and (validation is None or as_integer("patience", patience) < 1):
        raise ValueError(
            f"patience counts epochs on validation data: give both, and one or more, got {patience}"
        )

    def advance(state: TrainState) -> tuple[TrainState, Measurements]:
        state, steps = epoch(objective, optimizer, state, data, batch_size=batch_size)
        means = mean_over_examples(steps, data.x.shape[0], batch_size)
        if validation is not None:
            params, quiet = state.params, noiseless(objective)
            found = evaluate(quiet, params, validation, state.key, batch_size=batch_size)
            means["validation_loss"] = found["loss"]
        return state, means

    data = as_jax_batch(data)
    state = init_state(objective, optimizer, key)
    if patience is None:
        return jax.lax.scan(lambda state, _: advance(state), state, length=epochs)

    def advance_unless_stalled(carry: Any, _: None) -> tuple[Any, Measurements]:
        state, means, least, waited = carry
        state, means = jax.lax.cond(
            waited >= patience, lambda state: (state, means), advance, state
        )
        loss = means["validation_loss"]
        waited = jnp.where(loss < least, 0, waited + 1)
        return (state, means, jnp.fmin(loss, least), waited), means

    nothing = jax.tree.map(jnp.zeros_like, jax.eval_shape(advance, state)[1])
    least = jnp.full_like(nothing["validation_loss"], jnp.inf)
    carry = (state, nothing, least, jnp.int32(0))
    (state, *_), measurements = jax.lax.scan(advance_unless_stalled, carry, length=epochs)
    return state, measurements
