"""Training of all settings and seeds in one compiled program; helpers for data and metrics."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax import Batch, Objective, data, reconstruct, training
from aejax.training import TrainState
from aejax.training.steps import mean_over_examples
from aejax.types import Array, Autoencoder, Key, Params

Make = Callable[[Any], tuple[Objective, optax.GradientTransformation]]
"""Setting -> objective and optimizer."""

Measure = Callable[[Params, Array], dict[str, Array]]
"""(params, x) -> measurements by name."""


def train_grid(
    make: Make,
    x: Array,
    *,
    settings: Any,
    seeds: int,
    key: Key,
    epochs: int,
    batch_size: int,
    measure: Measure | None = None,
) -> tuple[Params, dict[str, np.ndarray]]:
    """Train every setting with every seed: training is vmapped over both and compiled once.

    A seed has the same initial parameters and the same order of examples for all settings, so that
    settings can be compared in pairs.

    Args:
        make: setting -> objective and optimizer. Settings are traced values, such as weights,
            rates and noise levels, not shapes.
        x: training examples [examples, features].
        settings: tree of arrays, each [settings, …].
        seeds: number of training runs per setting.
        key: key that is split into one key per seed.
        epochs: epochs of training.
        batch_size: examples per step.
        measure: (params, x) -> measurements by name, after every epoch (default: none).

    Returns:
        Parameters, each leaf [settings, seeds, …], and measurements: "loss", the mean of each
        epoch, and those of `measure`, each [settings, seeds, epochs].

    Raises:
        FloatingPointError: if a loss is not finite.
    """

    def train_one(setting: Any, key: Key, x: Array) -> tuple[Params, dict[str, Array]]:
        objective, optimizer = make(setting)

        def one_epoch(state: TrainState, _: None) -> tuple[TrainState, dict[str, Array]]:
            state, steps = training.epoch(
                objective, optimizer, state, Batch(x), batch_size=batch_size
            )
            measured = measure(state.params, x) if measure else {}
            return state, mean_over_examples({"loss": steps["loss"]}, len(x), batch_size) | measured

        start = training.init_state(objective, optimizer, key)
        state, measurements = jax.lax.scan(one_epoch, start, length=epochs)
        return state.params, measurements

    over_seeds = jax.vmap(train_one, (None, 0, None))
    train_all = jax.jit(jax.vmap(over_seeds, (0, None, None)))
    settings = jax.tree.map(jnp.asarray, settings)
    params, measurements = train_all(settings, jax.random.split(key, seeds), x)
    measured = {name: np.asarray(values) for name, values in measurements.items()}
    finite = np.isfinite(measured["loss"]).all(axis=(1, 2))
    if not finite.all():
        raise FloatingPointError(
            f"the loss of settings {np.flatnonzero(~finite).tolist()} became infinite or NaN; "
            "lower the learning rate"
        )
    return params, measured


class Schedule(Protocol):
    """Fields of a `Config` that determine seeds, length and learning rate of training runs."""

    seeds: int
    epochs: int
    batch_size: int
    learning_rate: float


def adam_with_cosine_decay(schedule: Schedule, examples: int) -> optax.GradientTransformation:
    """Adam with cosine decay of the learning rate to zero over the schedule's epochs."""
    steps = schedule.epochs * -(-examples // schedule.batch_size)
    return optax.adam(optax.cosine_decay_schedule(schedule.learning_rate, steps))


def train_with_seeds(objective: Objective, x: Array, schedule: Schedule, key: Key) -> Params:
    """Train one objective with every seed, with `adam_with_cosine_decay`.

    Args:
        objective: objective to minimise.
        x: training examples [examples, features].
        schedule: seeds, epochs, batch size and initial learning rate.
        key: key that is split into one key per seed.

    Returns:
        Parameters, each leaf [seeds, …].
    """
    optimizer = adam_with_cosine_decay(schedule, len(x))
    params, _ = train_grid(
        lambda _: (objective, optimizer),
        x,
        settings=jnp.zeros(1),
        seeds=schedule.seeds,
        key=key,
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
    )
    return jax.tree.map(lambda leaf: leaf[0], params)


def train_once(objective: Objective, x: Array, schedule: Schedule, key: Key) -> Params:
    """Train one objective with one key, with `adam_with_cosine_decay`; can be jitted.

    Args:
        objective: objective to minimise; its hyperparameters may be traced.
        x: training examples [examples, features].
        schedule: length, batch size and initial learning rate.
        key: key of the initial parameters and of the training run.

    Returns:
        Parameters.
    """
    optimizer = adam_with_cosine_decay(schedule, len(x))
    state, _ = training.train(
        objective, optimizer, Batch(x), key, epochs=schedule.epochs, batch_size=schedule.batch_size
    )
    return state.params


def flatten_and_scale(dataset: data.Dataset, train: int | None = None) -> tuple[Array, Array]:
    """Flatten training and test examples to float32 rows, scaled to [0, 1] by the data's bounds.

    Args:
        dataset: data set with bounds.
        train: number of training examples, the first ones (default: all).

    Returns:
        x_train and x_test, each [examples, features].

    Raises:
        ValueError: if the data set has no bounds.
    """
    if dataset.low is None or dataset.high is None:
        raise ValueError(f"{dataset.name} has no bounds, which are needed to scale it to [0, 1]")
    scale = data.unit_range(dataset.x_train, low=dataset.low, high=dataset.high)
    x_train, x_test = (
        jnp.asarray(data.normalise(scale, x), jnp.float32).reshape(len(x), -1)
        for x in (dataset.x_train[:train], dataset.x_test)
    )
    return x_train, x_test


def mean_squared_error(objective: Objective, params: Params, x: Array) -> Array:
    """Mean over examples of Σ(x̂ − x)², reconstructed without corruption.

    Args:
        objective: objective with the model and the output link.
        params: parameters of the model.
        x: examples [examples, features].

    Returns:
        Scalar.
    """
    return jnp.mean(jnp.sum(jnp.square(reconstruct(objective, params, x) - x), axis=1))


def jacobian_svd(model: Autoencoder, params: Params, point: Array) -> tuple[Array, Array]:
    """Singular values of ∂h/∂x in descending order, and right singular vectors as rows."""
    jacobian = jax.jacrev(lambda x: model.encode(params, x[None])[0])(point)
    _, values, directions = jnp.linalg.svd(jacobian, full_matrices=False)
    return values, directions


def average_pooled(x: Array, pool: int) -> Array:
    """Average-pool square images that are stored as rows."""
    side = round(x.shape[1] ** 0.5) // pool
    return x.reshape(-1, side, pool, side, pool).mean(axis=(2, 4)).reshape(len(x), -1)
