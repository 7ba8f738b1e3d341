"""Refined codes: convergence to least squares for a linear decoder, and lower errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize

import aejax
from aejax import Batch, losses, training

LINEAR = aejax.dense((5, 3), code_activation=jax.nn.identity)
KEY = jax.random.key(0)


def test_codes_of_a_linear_decoder_become_those_of_least_squares(x64):
    params = LINEAR.init(KEY)
    (decoder,) = params["decoder"].values()
    kernel, bias = np.asarray(decoder["kernel"]), np.asarray(decoder["bias"])
    rate = 0.5 / np.linalg.norm(kernel, 2) ** 2
    x = np.random.default_rng(0).normal(size=(4, 5))
    found = aejax.refined(LINEAR, losses.squared, steps=2000, rate=rate).encode(
        params, jnp.asarray(x)
    )
    expected = np.linalg.lstsq(kernel.T, (x - bias).T, rcond=None)[0].T
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_codes_at_scipys_minimum_are_fixed_points(x64):
    """Codes at a minimum found by SciPy stay there; all others lower their error."""
    model = aejax.dense((5, 4, 2), code_activation=jax.nn.identity)
    params, x = model.init(KEY), jax.random.uniform(jax.random.key(1), (1, 5))

    def error(code):
        logits = model.decode(params, jnp.asarray(code)[None])
        return float(jnp.sum(losses.bernoulli.elementwise(logits, x)))

    least = minimize(error, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9})
    start = model._replace(encode=lambda params, x: jnp.asarray(least.x)[None])
    kept = aejax.refined(start, losses.bernoulli, steps=50, rate=0.1).encode(params, x)
    np.testing.assert_allclose(kept[0], least.x, atol=1e-5)
    found = aejax.refined(model, losses.bernoulli, steps=20, rate=0.1).encode(params, x)[0]
    assert least.fun < error(found) < error(model.encode(params, x)[0])


def test_zero_steps_give_the_original_model():
    params, x = LINEAR.init(KEY), jnp.ones((2, 5))
    found = aejax.refined(LINEAR, losses.squared, steps=0).encode(params, x)
    np.testing.assert_array_equal(found, LINEAR.encode(params, x))


def test_training_through_the_steps_beats_refining_after_training():
    model = aejax.dense((6, 8, 2), code_activation=jax.nn.identity)
    steps = aejax.refined(model, losses.bernoulli, steps=3, rate=0.1)
    x = Batch(jax.random.bernoulli(jax.random.key(1), 0.5, (64, 6)).astype(float))

    def trained(model):
        objective = aejax.objective(model, losses.bernoulli)
        state, _ = training.fit(objective, optax.adam(1e-2), x, key=KEY, epochs=60, batch_size=32)
        return float(aejax.objective(steps, losses.bernoulli)(state.params, x, KEY)[0])

    assert trained(steps) < trained(model)


@pytest.mark.parametrize("settings", [{"steps": -1}, {"rate": -0.1}])
def test_negative_steps_and_rates_are_refused(settings):
    with pytest.raises(ValueError, match=r"must lie in \[0, inf\]"):
        aejax.refined(LINEAR, losses.squared, **settings)
