"""Comparison of optimizers: learning-rate searches of equal cost, and losses against time."""

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
"""(learning rate, number of training steps) -> optimizer."""

Advance = Callable[[TrainState, Batch], tuple[TrainState, Array]]
"""(state, all examples) -> later state, and the number of epochs that it took."""

NUM_LOSS_EXAMPLES = 2000
"""Number of examples, from the start of the training data, on which the loss is measured."""


def sparse_initializer(connections: int = 15) -> Callable[..., Array]:
    """Sparse initialisation of kernels: each unit has a few N(0, 1) weights, the others are zero.

    Args:
        connections: number of non-zero weights per unit, at most the number of inputs.

    Returns:
        Initializer (key, shape [inputs, outputs], dtype) -> kernel.

    Source: Martens 2010; Sutskever et al. 2013.
    """

    def init(key: Key, shape: tuple[int, int], dtype: Any = float) -> Array:
        key_positions, key_weights = jax.random.split(key)
        scores = jax.random.uniform(key_positions, shape)
        last = jnp.sort(scores, axis=0)[min(connections, shape[0]) - 1]
        return jnp.where(scores <= last, jax.random.normal(key_weights, shape, dtype), 0)

    return init


def momentum_schedule(maximum: float = 0.99) -> optax.Schedule:
    """Momentum μ_t = min(1 − 2^(−1 − log₂(⌊t/250⌋ + 1)), maximum) at step t = 0, 1, ….

    Source: Sutskever et al. 2013, eq. 5.
    """
    return lambda step: jnp.minimum(1 - 0.5 / (step // 250 + 1), maximum)


def cosine_decayed(optimizer: Callable[..., optax.GradientTransformation], **settings: Any) -> Make:
    """Factory of an optimizer whose learning rate decays to zero by a cosine schedule."""
    return lambda rate, steps: optimizer(optax.cosine_decay_schedule(rate, steps), **settings)


def nesterov(rate: Any) -> optax.GradientTransformation:
    """Gradient descent with Nesterov momentum on the schedule of Sutskever et al. 2013."""
    momentum = optax.inject_hyperparams(optax.sgd)
    return momentum(learning_rate=rate, momentum=momentum_schedule(), nesterov=True)


def schedule_free(rate: Any, steps: int) -> optax.GradientTransformation:
    """Schedule-free Adam, which averages iterates instead of decaying the learning rate."""
    return optax.contrib.schedule_free_adamw(rate, warmup_steps=max(1, steps // 20))


def search_learning_rates(
    objective: Objective,
    make: Make,
    x: Array,
    *,
    rates: ArrayLike,
    key: Key,
    epochs: int,
    batch_size: int,
) -> list[float]:
    """Final training loss for each learning rate; all runs are trained in one compiled program.

    Args:
        objective: objective to minimise.
        make: factory of the optimizer.
        x: training examples.
        rates: learning rates [rates].
        key: key that is split into one key per rate.
        epochs: epochs of training.
        batch_size: examples per step.

    Returns:
        One loss per rate; infinity if the training diverged.
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
    losses = jax.jit(jax.vmap(partial(_loss, objective), (0, None)))(
        states, Batch(x[:NUM_LOSS_EXAMPLES])
    )
    return [float(loss) if jnp.isfinite(loss) else float("inf") for loss in losses]


def record_losses(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    advance: Advance,
    x: Array,
    *,
    keys: Sequence[Key],
    passes: float,
) -> dict[str, list[list[float]]]:
    """Train with every seed, sequentially, and record losses against epochs and CPU time.

    Args:
        objective: objective to minimise.
        optimizer: optimizer for the initial state.
        advance: function that advances a state, compiled before the measurement.
        x: training examples.
        keys: keys of initialisation and order, one per seed.
        passes: number of epochs after which the training ends.

    Returns:
        "passes" (epochs), "seconds" of CPU time without measurements (CPU time is less affected by
        other processes than wall-clock time), and training "loss", each [seeds, points]; the first
        point is the initialisation.
    """
    data, shown = Batch(x), Batch(x[:NUM_LOSS_EXAMPLES])
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


def epoch_step(
    objective: Objective, optimizer: optax.GradientTransformation, *, batch_size: int
) -> Advance:
    """Advance by one epoch."""

    def advance(state: TrainState, data: Batch) -> tuple[TrainState, Array]:
        state, _ = training.epoch(objective, optimizer, state, data, batch_size=batch_size)
        return state, jnp.ones(())

    return advance


def line_search_step(
    objective: Objective, optimizer: optax.GradientTransformationExtraArgs
) -> Advance:
    """Advance by one full-batch step; each evaluation in its line search counts as an epoch.

    The value and gradient at the end of a line search are reused by the next step; only the first
    step computes them, which counts as one more epoch.
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


def log_loss_at(found: Mapping[str, Any], what: str, position: float) -> np.ndarray:
    """Log loss of each seed [seeds], interpolated at a number of "passes" or "seconds"."""
    return np.array(
        [
            np.interp(position, spent, np.log(loss))
            for spent, loss in zip(found[what], found["loss"], strict=True)
        ]
    )


def _loss(objective: Objective, state: TrainState, data: Batch) -> Array:
    """Loss at the evaluation parameters, which differ for schedule-free optimizers."""
    params, optimizer_state = state.params, state.optimizer_state
    if isinstance(optimizer_state, optax.contrib.ScheduleFreeState):
        params = optax.contrib.schedule_free_eval_params(optimizer_state, params)
    return objective(params, data, state.key)[0]
