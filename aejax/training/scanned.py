"""End-to-end training as one `lax.scan`, so that it can be jitted and vmapped."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from aejax.hyperparameters import as_integer
from aejax.objectives import Objective, noiseless
from aejax.training.batches import Measurements, as_jax_batch, mean_over_examples
from aejax.training.epoch_loop import check_keep_best
from aejax.training.steps import TrainState, epoch, evaluate, init_state
from aejax.types import Array, BatchLike, KeyLike


class _Carry(NamedTuple):
    """Carry of the scan over epochs: `waited` is the number of epochs since the best loss."""

    state: TrainState
    means: Measurements
    best: TrainState | None
    best_loss: Array
    waited: Array


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
    keep_best: bool = False,
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
        keep_best: whether to return the state of the epoch with the lowest validation loss.

    Returns:
        The final or the best state, and the mean measurements of each epoch, each [epochs]; with
        validation also "validation_loss". After early stopping, later entries repeat those of the
        last epoch trained. `state.epoch` is the number of epochs of the state; it is 0 if no
        validation loss was finite and the best state was asked for.

    Raises:
        ValueError: if patience or `keep_best` is given without validation, or patience is not an
            integer or less than 1.

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
    check_keep_best(keep_best, validation, history=())

    def advance(state: TrainState) -> tuple[TrainState, Measurements]:
        state, steps = epoch(objective, optimizer, state, data, batch_size=batch_size)
        means = mean_over_examples(steps, data.x.shape[0], batch_size)
        if validation is not None:
            params, noise_free = state.params, noiseless(objective)
            found = evaluate(
                noise_free,
                params,
                validation,
                state.key,
                batch_size=batch_size,
                tracked=state.tracked,
            )
            means["validation_loss"] = found["loss"]
        return state, means

    data = as_jax_batch(data)
    state = init_state(objective, optimizer, key)
    if patience is None and not keep_best:
        return jax.lax.scan(lambda state, _: advance(state), state, length=epochs)

    def advance_unless_stalled(carry: _Carry, _: None) -> tuple[_Carry, Measurements]:
        state, means = carry.state, carry.means
        if patience is None:
            state, means = advance(state)
        else:
            state, means = jax.lax.cond(
                carry.waited >= patience, lambda state: (state, means), advance, state
            )
        loss = means["validation_loss"]
        is_better = loss < carry.best_loss
        best = carry.best
        if keep_best:
            best = jax.lax.cond(is_better, lambda: state, lambda: carry.best)
        waited = jnp.where(is_better, 0, carry.waited + 1)
        return _Carry(state, means, best, jnp.fmin(loss, carry.best_loss), waited), means

    means = jax.tree.map(jnp.zeros_like, jax.eval_shape(advance, state)[1])
    best_loss = jnp.full_like(means["validation_loss"], jnp.inf)
    start = _Carry(state, means, state if keep_best else None, best_loss, jnp.int32(0))
    end, measurements = jax.lax.scan(advance_unless_stalled, start, length=epochs)
    return (end.state if end.best is None else end.best), measurements
