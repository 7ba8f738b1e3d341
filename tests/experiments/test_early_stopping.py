"""Early stopping against a loop that keeps every evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import aejax
from aejax import Batch, data, losses, training
from experiments.harness.early_stopping import Stopping, train_until_overfitting
from experiments.harness.training import mean_squared_error


def test_the_best_parameters_are_those_of_a_plain_loop():
    stopping = Stopping(steps=8, patience=2, max_steps=400)
    x = jnp.asarray(data.digits().x_train.reshape(-1, 64)[:60], jnp.float32) / 16
    own, validation, key = x[:20], x[20:], jax.random.key(0)
    objective = aejax.objective(aejax.dense((64, 16)), losses.bernoulli)
    optimizer = optax.adam(0.1)
    best = jax.jit(
        lambda key: train_until_overfitting(
            objective, optimizer, own, validation, key, batch_size=5, stopping=stopping
        )
    )(key)
    state = training.init_state(objective, optimizer, key)
    path = [(float(mean_squared_error(objective, state.params, validation)), 0)]
    two_epochs = jax.jit(
        lambda state: jax.lax.fori_loop(
            0,
            2,
            lambda _, state: training.epoch(objective, optimizer, state, Batch(own), batch_size=5)[
                0
            ],
            state,
        )
    )
    while int(state.step) < stopping.max_steps and min(path) in path[-stopping.patience :]:
        state = two_epochs(state)
        path.append(
            (float(mean_squared_error(objective, state.params, validation)), int(state.step))
        )
    assert int(best.steps) == min(path)[1]
    assert 0 < int(best.steps) < int(state.step) < stopping.max_steps
    np.testing.assert_allclose(best.validation, min(path)[0], rtol=1e-3)
    np.testing.assert_allclose(
        best.validation, mean_squared_error(objective, best.params, validation), rtol=1e-5
    )
