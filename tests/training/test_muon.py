"""Muon against optax's, against the singular value decomposition, and at work."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import losses, training
from aejax.training.muon import COEFFICIENTS, muon, orthogonalise

KEY = jax.random.key(0)
SHAPES = [(5, 9), (9, 5), (6, 6)]


def _gradients():
    keys = jax.random.split(KEY, len(SHAPES) + 1)
    matrices = {str(s): jax.random.normal(k, s, float) for s, k in zip(SHAPES, keys, strict=False)}
    return matrices | {"bias": jax.random.normal(keys[-1], (4,), float)}


def test_steps_are_those_of_optax():
    with jax.enable_x64():
        params = jax.tree.map(jnp.zeros_like, _gradients())
        ours, theirs = (
            muon(0.1),
            optax.contrib.muon(0.1, ns_coeffs=COEFFICIENTS, consistent_rms=0.2),
        )
        states = ours.init(params), theirs.init(params)
        for _ in range(2):
            gradients = _gradients()  # the same again: momentum weighs no gradient differently
            mine, first = ours.update(gradients, states[0], params)
            their, second = theirs.update(gradients, states[1], params)
            states = first, second
            for name, update in mine.items():  # optax's Adam of the others is Nesterov's
                if name != "bias":
                    np.testing.assert_allclose(update, their[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("exponent", [-100, -60, 60, 100])
def test_the_size_of_a_gradient_does_not_matter_however_small_or_large(exponent, dtype):
    """Squares of entries below 2⁻⁶³ vanish in float32, those above 2⁶³ overflow."""
    matrix = jax.random.normal(KEY, (9, 5), dtype)
    found = orthogonalise(matrix * jnp.asarray(2.0**exponent, dtype))
    np.testing.assert_array_equal(found, orthogonalise(matrix))


def test_what_is_no_matrix_steps_by_adam():
    params = {"bias": jnp.ones(4)}
    ours, adam = muon(0.1), optax.adam(0.1)
    mine, _ = ours.update(params, ours.init(params), params)
    their, _ = adam.update(params, adam.init(params), params)
    np.testing.assert_array_equal(mine["bias"], their["bias"])


def test_momentum_is_nesterovs():
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
def test_singular_values_go_near_one_and_vectors_stay(shape, dtype):
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


def test_five_steps_and_a_momentum_of_19_in_20_are_those_of_jordan_and_others():
    gradient = jax.random.normal(KEY, (3, 4))
    updates = []
    for optimizer in (muon(1.0), muon(1.0, momentum=0.95, steps=5)):
        state = optimizer.init(gradient)
        for _ in range(2):
            update, state = optimizer.update(gradient, state, gradient)
        updates.append(update)
    np.testing.assert_array_equal(*updates)
    np.testing.assert_array_equal(orthogonalise(gradient), orthogonalise(gradient, steps=5))


def test_zero_stays_zero():
    np.testing.assert_array_equal(orthogonalise(jnp.zeros((3, 5))), jnp.zeros((3, 5)))


def test_it_trains_below_adam_in_as_few_steps():
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
