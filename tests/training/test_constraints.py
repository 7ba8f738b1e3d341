"""Constraints on parameters against the closed form, over many steps and in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import training
from aejax.training import constrained, non_negative, unit_norm

ROWS = unit_norm(select=lambda params: params["kernel"])


def draw_params(seed=0):
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(5, 3)).astype(np.float32)
    kernel /= np.linalg.norm(kernel, axis=1, keepdims=True)
    return {"kernel": jnp.asarray(kernel), "bias": jnp.ones(3)}


def test_one_step_of_gradient_descent_on_the_sphere_is_the_closed_form():
    params, rate = draw_params(), 0.3
    gradient = jax.tree.map(lambda leaf: leaf * 0 + 0.7, params)
    optimizer = constrained(optax.sgd(rate), ROWS)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    found = optax.apply_updates(params, updates)
    w, g = np.asarray(params["kernel"], float), np.asarray(gradient["kernel"], float)
    w = w - rate * (g - (g * w).sum(axis=1, keepdims=True) * w)
    expected = w / np.linalg.norm(w, axis=1, keepdims=True)
    np.testing.assert_allclose(found["kernel"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["bias"], 1 - rate * 0.7, rtol=1e-6)


def test_rows_keep_unit_norm_for_ten_thousand_steps():
    params = draw_params()
    optimizer = constrained(optax.adam(1e-2), ROWS)

    def step(carry, key):
        params, state = carry
        gradient = jax.tree.map(lambda leaf: jax.random.normal(key, leaf.shape), params)
        updates, state = optimizer.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), jnp.linalg.norm(params["kernel"], axis=1)

    keys = jax.random.split(jax.random.key(0), 10_000)
    _, norms = jax.lax.scan(step, (params, optimizer.init(params)), keys)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_thresholds_stay_non_negative_and_zero_vectors_zero():
    params = {"kernel": jnp.zeros((2, 3)), "threshold": jnp.array([0.05, 1.0])}
    thresholds = non_negative(select=lambda params: params["threshold"])
    optimizer = constrained(optax.sgd(0.1), ROWS, thresholds)
    gradient = {"kernel": jnp.zeros((2, 3)), "threshold": jnp.ones(2)}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    found = optax.apply_updates(params, updates)
    assert found["threshold"].tolist() == [0, pytest.approx(0.9)]
    assert not found["kernel"].any()


def test_a_model_trains_under_a_constraint_and_resumes_bit_identically():
    model = aejax.dense((6, 4))
    objective = aejax.objective(model, aejax.losses.squared)
    rows = unit_norm(select=lambda params: params["decoder"]["layer_0"]["kernel"])
    optimizer = constrained(optax.adam(1e-2), rows)
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    whole, history = training.fit(objective, optimizer, x, key=0, epochs=6, batch_size=10)
    half, first = training.fit(objective, optimizer, x, key=0, epochs=3, batch_size=10)
    again, _ = training.fit(
        objective, optimizer, x, state=half, history=first, epochs=6, batch_size=10
    )
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
    norms = np.linalg.norm(whole.params["decoder"]["layer_0"]["kernel"], axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


def test_what_is_no_selection_is_refused():
    with pytest.raises((ValueError, TypeCheckError), match="select"):
        unit_norm(select="kernel")
    empty = constrained(optax.sgd(0.1), unit_norm(select=lambda params: []))
    params = draw_params()
    with pytest.raises(ValueError, match="select returned no arrays"):
        empty.update(params, empty.init(params), params)
    with pytest.raises(ValueError, match="needs the parameters"):
        empty.update(params, empty.init(params))
