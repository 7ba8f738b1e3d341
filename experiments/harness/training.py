"""Train every setting with every seed, in one compiled program."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax import Batch, Objective, data, reconstruct, training
from aejax.training import TrainState
from aejax.training.steps import mean_over_examples
from aejax.types import Array, Key, Params

Make = Callable[[Any], tuple[Objective, optax.GradientTransformation]]
"""One setting -> what is minimised, and how."""

Measure = Callable[[Params, Array], dict[str, Array]]
"""(params, x) -> numbers by name."""


def train_seeds(
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
    """Train every setting with every seed: whole trainings vmapped over both, compiled once.

    A seed starts from the same parameters, and sees the same examples in the same order, whatever
    the setting, so that settings can be compared in pairs.

    Args:
        make: one setting -> objective and optimizer. What a setting holds is traced: weights,
            rates, noise levels; shapes are not settings.
        x: all examples, [examples, features].
        settings: a tree of arrays, each [settings, …].
        seeds: trainings of each setting.
        key: split into one key a seed.
        epochs: passes over the data.
        batch_size: examples a step.
        measure: (params, x) -> numbers by name, taken after every epoch.

    Returns:
        The params, each leaf [settings, seeds, …], and the measurements: "loss", the mean of each
        epoch, and those of `measure`, each [settings, seeds, epochs].

    Raises:
        FloatingPointError: where a loss did not stay finite.
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
            f"the loss of settings {np.flatnonzero(~finite).tolist()} did not stay finite; "
            "lower the learning rate"
        )
    return params, measured


class Schedule(Protocol):
    """The fields of a `Config` that say how long one objective is trained, and how fast."""

    seeds: int
    epochs: int
    batch_size: int
    learning_rate: float


def falling_adam(schedule: Schedule, examples: int) -> optax.GradientTransformation:
    """Adam whose rate falls from the schedule's to zero by a cosine, over its passes."""
    steps = schedule.epochs * -(-examples // schedule.batch_size)
    return optax.adam(optax.cosine_decay_schedule(schedule.learning_rate, steps))


def train_alike(objective: Objective, x: Array, schedule: Schedule, key: Key) -> Params:
    """Train one objective with every seed, by Adam whose rate falls to zero by a cosine.

    Args:
        objective: what is minimised.
        x: all examples, [examples, features].
        schedule: seeds, epochs, examples a step, and the rate at the start.
        key: split into one key a seed.

    Returns:
        The params, each leaf [seeds, …].
    """
    optimizer = falling_adam(schedule, len(x))
    params, _ = train_seeds(
        lambda _: (objective, optimizer),
        x,
        settings=jnp.zeros(1),
        seeds=schedule.seeds,
        key=key,
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
    )
    return jax.tree.map(lambda leaf: leaf[0], params)


def flat(dataset: data.Dataset, train: int | None = None) -> tuple[Array, Array]:
    """Train and test examples as rows of float32 in [0, 1], by the bounds of the data's format.

    Args:
        dataset: with bounds.
        train: only the first so many training examples; all of them unless given.

    Returns:
        x_train [examples, features] and x_test likewise.

    Raises:
        ValueError: for a data set without bounds.
    """
    if dataset.low is None or dataset.high is None:
        raise ValueError(f"{dataset.name} has no bounds by which to scale it to [0, 1]")
    scale = data.unit_range(dataset.x_train, low=dataset.low, high=dataset.high)
    x_train, x_test = (
        jnp.asarray(data.normalise(scale, x), jnp.float32).reshape(len(x), -1)
        for x in (dataset.x_train[:train], dataset.x_test)
    )
    return x_train, x_test


def mean_squared_error(objective: Objective, params: Params, x: Array) -> Array:
    """Mean over examples of Σ(x̂ − x)², of the reconstruction without corruption.

    Args:
        objective: gives the model and the link.
        params: the model's parameters.
        x: examples, [examples, features].

    Returns:
        A scalar.
    """
    return jnp.mean(jnp.sum(jnp.square(reconstruct(objective, params, x) - x), axis=1))
