"""End-to-end training as one `lax.scan`, so that it can be jitted and vmapped."""

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
    """Initialise and train a model as one pure function of scans, which can be vmapped.

    Args:
        objective: objective to minimise.
        optimizer: optax gradient transformation.
        data: all examples, a `Batch` or x alone, [examples, *input].
        key: PRNG key of the initial parameters and of the training run.
        epochs: number of epochs, at least 1.
        batch_size: number of examples per step.
        validation: examples on which the noise-free objective is evaluated after each epoch.
        patience: number of epochs without a lower validation loss after which training stops;
            None disables early stopping.

    Returns:
        The final state, and the mean measurements of each epoch, each [epochs]; with validation
        also "validation_loss". After early stopping, later entries repeat those of the last epoch
        trained; `state.epoch` is the number of epochs trained.

    Raises:
        ValueError: if patience is given without validation, is not an integer, or is less than 1.

    Example:
        >>> import aejax, jax, jax.numpy as jnp, optax
        >>> objective = aejax.objective(aejax.dense((8, 3)), aejax.losses.bernoulli)
        >>> x = jax.random.uniform(jax.random.key(0), (64, 8))
        >>> state, measurements = aejax.training.train(
        ...     objective, optax.adam(1e-2), x, key=0, epochs=5, batch_size=16)
        >>> measurements["reconstruction"].shape
        (5,)
    """
    if patience is not None and (validation is None or as_integer("patience", patience) < 1):
        raise ValueError(
            f"patience must be 1 or more and needs validation data, got patience {patience} and "
            f"{'no ' if validation is None else ''}validation data"
        )

    def advance(state: TrainState) -> tuple[TrainState, Measurements]:
        state, steps = epoch(objective, optimizer, state, data, batch_size=batch_size)
        means = mean_over_examples(steps, data.x.shape[0], batch_size)
        if validation is not None:
            params, noise_free = state.params, noiseless(objective)
            found = evaluate(noise_free, params, validation, state.key, batch_size=batch_size)
            means["validation_loss"] = found["loss"]
        return state, means

    data = as_jax_batch(data)
    state = init_state(objective, optimizer, key)
    if patience is None:
        return jax.lax.scan(lambda state, _: advance(state), state, length=epochs)

    def advance_unless_stalled(carry: Any, _: None) -> tuple[Any, Measurements]:
        state, means, best_loss, waited = carry
        state, means = jax.lax.cond(
            waited >= patience, lambda state: (state, means), advance, state
        )
        loss = means["validation_loss"]
        waited = jnp.where(loss < best_loss, 0, waited + 1)
        return (state, means, jnp.fmin(loss, best_loss), waited), means

    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(advance, state)[1])
    carry = (state, zeros, jnp.full_like(zeros["validation_loss"], jnp.inf), jnp.int32(0))
    (state, *_), measurements = jax.lax.scan(advance_unless_stalled, carry, length=epochs)
    return state, measurements
