"""Optimizers of one objective side by side: equal searches for a rate, losses against time."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike

from aejax import Batch, Objective, training
from aejax.training import TrainState
from aejax.types import Array, Key, Params

Make = Callable[[Any, int], optax.GradientTransformation]
"""(learning rate, steps of the training) -> optimizer."""

Advance = Callable[[TrainState, Batch], tuple[TrainState, Array]]
"""(state, all examples) -> a later state, and how often the examples were passed through."""

MEASURED = 2000
"""Training examples whose loss is told, the first ones."""


def sparse(connections: int = 15) -> Callable[..., Array]:
    """An initializer of kernels: each unit has few inputs, with weights of N(0, 1); zero elsewhere.

    Args:
        connections: inputs of a unit; all of them where a layer has fewer.

    Returns:
        The initializer, (key, shape [inputs, outputs], dtype) -> kernel.

    Source: Martens 2010; Sutskever et al. 2013.
    """

    def init(key: Key, shape: tuple[int, int], dtype: Any = float) -> Array:
        key_places, key_weights = jax.random.split(key)
        scores = jax.random.uniform(key_places, shape)
        last = jnp.sort(scores, axis=0)[min(connections, shape[0]) - 1]
        return jnp.where(scores <= last, jax.random.normal(key_weights, shape, dtype), 0)

    return init


def rising_momentum(most: float = 0.99) -> optax.Schedule:
    """μ_t = min(1 − 2^(−1 − log₂(⌊t/250⌋ + 1)), most), of step t from zero.

    Source: Sutskever et al. 2013, eq. 5.
    """
    return lambda step: jnp.minimum(1 - 0.5 / (step // 250 + 1), most)


def searched(
    objective: Objective,
    make: Make,
    x: Array,
    *,
    rates: ArrayLike,
    key: Key,
    epochs: int,
    batch_size: int,
) -> list[float]:
    """The training loss that each rate ends with: one training each, in one compiled program.

    Args:
        objective: what is minimised.
        make: gives the optimizer.
        x: all examples.
        rates: [rates].
        key: of starts and orders, split into one a rate.
        epochs: passes over the data.
        batch_size: examples a step.

    Returns:
        A loss a rate; infinity where it diverged.
    """
    steps = epochs * -(-len(x) // batch_size)
    states, _ = training.fit_population(
        lambda rate: (objective, make(rate, steps)),
        Batch(x),
        hyperparameters=jnp.asarray(rates),
        key=key,
        epochs=epochs,
        batch_size=batch_size,
    )
    losses = jax.jit(jax.vmap(partial(_loss, objective), (0, None)))(states, Batch(x[:MEASURED]))
    return [float(loss) if jnp.isfinite(loss) else float("inf") for loss in losses]


def traced(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    advance: Advance,
    x: Array,
    *,
    keys: Sequence[Key],
    passes: float,
) -> dict[str, list[list[float]]]:
    """Train with every seed, one after the other, by one compiled program.

    Args:
        objective: what is minimised.
        optimizer: gives the first state.
        advance: compiled before the clock starts.
        x: all examples.
        keys: of start and order, one a seed.
        passes: over the examples, after which it ends.

    Returns:
        "passes" and "seconds" of processor time spent, which other programs do not lengthen as they
        do the clock's, without those of measuring; and the training "loss" then: each [seeds,
        points], the first of them the start.
    """
    data, shown = Batch(x), Batch(x[:MEASURED])
    first = training.init_state(objective, optimizer, keys[0])
    compiled = jax.jit(advance).lower(first, data).compile()
    loss = jax.jit(partial(_loss, objective))
    found: dict[str, list[list[float]]] = {"passes": [], "seconds": [], "loss": []}
    for key in keys:
        state = training.init_state(objective, optimizer, key)
        points = [(0.0, 0.0, float(loss(state, shown)))]
        while points[-1][0] < passes:
            begin = time.process_time()
            state, spent = jax.block_until_ready(compiled(state, data))
            seconds = points[-1][1] + time.process_time() - begin
            points.append((points[-1][0] + float(spent), seconds, float(loss(state, shown))))
        for name, values in zip(found, zip(*points, strict=True), strict=True):
            found[name].append([*values])
    return found


def by_epochs(
    objective: Objective, optimizer: optax.GradientTransformation, *, batch_size: int
) -> Advance:
    """An epoch at a time: `training.epoch`, one pass."""

    def advance(state: TrainState, data: Batch) -> tuple[TrainState, Array]:
        state, _ = training.epoch(objective, optimizer, state, data, batch_size=batch_size)
        return state, jnp.ones(())

    return advance


def by_line_searches(
    objective: Objective, optimizer: optax.GradientTransformationExtraArgs
) -> Advance:
    """One step on all examples at a time; each evaluation of its line search is a pass.

    Value and gradient are those that the last line search ended with, so only the first step has to
    compute them, which is one pass more.
    """

    def advance(state: TrainState, data: Batch) -> tuple[TrainState, Array]:
        def value_fn(params: Params) -> Array:
            return objective(params, data, state.key)[0]

        value, gradient = optax.value_and_grad_from_state(value_fn)(
            state.params, state=state.optimizer_state
        )
        updates, optimizer_state = optimizer.update(
            gradient,
            state.optimizer_state,
            state.params,
            value=value,
            grad=gradient,
            value_fn=value_fn,
        )
        evaluations = optax.tree.get(optimizer_state, "info").num_linesearch_steps
        later = state._replace(
            params=optax.apply_updates(state.params, updates),
            optimizer_state=optimizer_state,
            step=state.step + 1,
        )
        return later, evaluations + (state.step == 0)

    return advance


def log_loss_at(found: Mapping[str, Any], what: str, place: float) -> np.ndarray:
    """Each seed's log loss [seeds] where "passes" or "seconds" are place, between its points."""
    return np.array(
        [
            np.interp(place, spent, np.log(loss))
            for spent, loss in zip(found[what], found["loss"], strict=True)
        ]
    )


def _loss(objective: Objective, state: TrainState, data: Batch) -> Array:
    """At the parameters meant for use, which schedule-free optimizers keep apart."""
    params, kept = state.params, state.optimizer_state
    if isinstance(kept, optax.contrib.ScheduleFreeState):
        params = optax.contrib.schedule_free_eval_params(kept, params)
    return objective(params, data, state.key)[0]
