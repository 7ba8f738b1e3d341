"""Muon against optax's, against the singular value decomposition, and in training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import losses, training
from aejax.training.muon import COEFFICIENTS, muon
from aejax.training.muon import orthogonalise as uncompiled

KEY = jax.random.key(0)
orthogonalise = jax.jit(uncompiled, static_argnames="steps")
SHAPES = [(5, 9), (9, 5), (6, 6)]


def _gradients():
    keys = jax.random.split(KEY, len(SHAPES) + 1)
    matrices = {str(s): jax.random.normal(k, s, float) for s, k in zip(SHAPES, keys, strict=False)}
    return matrices | {"bias": jax.random.normal(keys[-1], (4,), float)}


def test_steps_equal_optaxs():
    with jax.enable_x64():
        params = jax.tree.map(jnp.zeros_like, _gradients())
        ours, theirs = (
            muon(0.1),
            optax.contrib.muon(0.1, ns_coeffs=COEFFICIENTS, consistent_rms=0.2),
        )
        states = ours.init(params), theirs.init(params)
        my_update, their_update = jax.jit(ours.update), jax.jit(theirs.update)
        for _ in range(2):
            gradients = _gradients()  # equal gradients: the momentum conventions then agree
            mine, first = my_update(gradients, states[0], params)
            their, second = their_update(gradients, states[1], params)
            states = first, second
            for name, update in mine.items():  # optax uses Nesterov's Adam for non-matrices
                if name != "bias":
                    np.testing.assert_allclose(update, their[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("exponent", [-100, -60, 60, 100])
def test_orthogonalisation_is_invariant_to_the_scale_of_the_gradient(exponent, dtype):
    """In float32, squares of entries below 2⁻⁶³ underflow, and those above 2⁶⁴ overflow."""
    matrix = jax.random.normal(KEY, (9, 5), dtype)
    found = orthogonalise(matrix * jnp.asarray(2.0**exponent, dtype))
    np.testing.assert_array_equal(found, orthogonalise(matrix))


def test_parameters_that_are_not_matrices_use_adam():
    params = {"bias": jnp.ones(4)}
    ours, adam = muon(0.1), optax.adam(0.1)
    mine, _ = ours.update(params, ours.init(params), params)
    their, _ = adam.update(params, adam.init(params), params)
    np.testing.assert_array_equal(mine["bias"], their["bias"])


def test_momentum_is_nesterov():
    gradients = [jax.random.normal(key, (3, 4)) for key in jax.random.split(KEY, 3)]
    optimizer = muon(1.0, momentum=0.9)
    state, trace = optimizer.init(gradients[0]), 0.0
    for gradient in gradients:
        update, state = optimizer.update(gradient, state, gradient)
        trace = gradient + 0.9 * trace
    expected = -0.2 * 2.0 * orthogonalise(gradient + 0.9 * trace)
    np.testing.assert_allclose(update, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_singular_values_become_about_one_and_vectors_are_preserved(shape, dtype):
    matrix = jax.random.normal(KEY, shape) + 4 * jnp.eye(*shape)
    found = orthogonalise(matrix.astype(dtype))
    assert found.dtype == dtype
    left, values, right = jnp.linalg.svd(matrix, full_matrices=False)
    middle = left.T @ found.astype(float) @ right.T
    precise = 1e-4 if dtype == jnp.float32 else 0.05
    np.testing.assert_allclose(middle - jnp.diag(jnp.diag(middle)), 0, atol=precise)
    assert values.min() / jnp.linalg.norm(values) > 0.02
    assert (jnp.diag(middle) > 0.6).all()
    assert (jnp.diag(middle) < 1.3).all()


def test_defaults_are_those_of_jordan_et_al():
    gradient = jax.random.normal(KEY, (3, 4))
    updates = []
    for optimizer in (muon(1.0), muon(1.0, momentum=0.95, steps=5)):
        state = optimizer.init(gradient)
        for _ in range(2):
            update, state = jax.jit(optimizer.update)(gradient, state, gradient)
        updates.append(update)
    np.testing.assert_array_equal(*updates)
    np.testing.assert_array_equal(orthogonalise(gradient), orthogonalise(gradient, steps=5))


def test_zero_is_mapped_to_zero():
    np.testing.assert_array_equal(orthogonalise(jnp.zeros((3, 5))), jnp.zeros((3, 5)))


def test_muon_reaches_a_lower_loss_than_adam():
    objective = aejax.objective(
        aejax.dense((20, 12, 4, 12)[:3], activation=jnp.tanh), losses.squared
    )
    mixing, code = jax.random.normal(KEY, (4, 20)), jax.random.normal(jax.random.key(1), (256, 4))
    data = aejax.Batch(jax.nn.sigmoid(code @ mixing))
    ends = {}
    for name, optimizer in {
        "adam": optax.adam(0.01),
        "muon": muon(0.01, dtype=jnp.bfloat16),
    }.items():
        _, measured = training.train(objective, optimizer, data, KEY, epochs=20, batch_size=32)
        ends[name] = float(measured["loss"][-1])
    assert ends["muon"] < ends["adam"]
