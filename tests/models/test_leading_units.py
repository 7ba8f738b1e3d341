"""Truncated codes are equivalent to smaller codes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, losses, training

X = jax.random.uniform(jax.random.key(1), (30, 6))


def kernels(params, units):
    """Encoder kernel and bias, and decoder kernel, of the first units."""
    (encoder,), (decoder,) = params["encoder"].values(), params["decoder"].values()
    return {
        "encoder": {"kernel": encoder["kernel"][:, :units], "bias": encoder["bias"][:units]},
        "decoder": {"kernel": decoder["kernel"][:units], "bias": decoder["bias"]},
    }


def test_training_equals_that_of_the_smaller_autoencoder(x64):
    whole, small = aejax.dense((6, 4)), aejax.dense((6, 3))
    params = whole.init(jax.random.key(0))
    (encoder,), (decoder,) = params["encoder"], params["decoder"]
    part = kernels(params, 3)
    small_params = {"encoder": {encoder: part["encoder"]}, "decoder": {decoder: part["decoder"]}}
    x = Batch(jnp.asarray(X, float))
    found = trained(aejax.leading_units(whole, 3), params, x)
    expected = trained(small, small_params, x)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10),
        kernels(found, 3),
        kernels(expected, 3),
    )
    np.testing.assert_array_equal(found["encoder"][encoder]["bias"][3:], 0)


def trained(model, params, batch):
    objective, optimizer = aejax.objective(model, losses.bernoulli), optax.sgd(0.1, momentum=0.9)
    state = training.init_state(objective, optimizer, jax.random.key(0))
    state = state._replace(params=params, optimizer_state=optimizer.init(params))
    state, _ = jax.jit(
        lambda state: jax.lax.scan(
            lambda state, _: training.step(objective, optimizer, state, batch), state, length=20
        )
    )(state)
    return state.params


def test_population_members_may_differ_in_code_size():
    def make(units):
        model = aejax.leading_units(aejax.dense((6, 4)), units)
        return aejax.objective(model, losses.bernoulli), optax.adam(1e-2)

    units = jnp.asarray([1, 2, 4])
    states, _ = training.fit_population(
        make, Batch(X), hyperparameters=units, key=jax.random.key(0), epochs=2, batch_size=15
    )
    codes = jax.vmap(lambda params: aejax.dense((6, 4)).encode(params, X))(states.params)
    assert codes.shape == (3, 30, 4)
    with pytest.raises(ValueError, match=r"number of units must lie in \[1, inf\], got 0"):
        training.fit_population(
            make, Batch(X), hyperparameters=units - 1, key=jax.random.key(0), epochs=1, batch_size=5
        )
