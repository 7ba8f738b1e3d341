"""The k-sparse activation against PyTorch and NumPy; straight-through units against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import expit

import aejax

top_2 = aejax.top_k(k=2)


def test_top_k_and_its_gradient_match_pytorch(x64):
    z = np.random.default_rng(0).normal(size=(50, 7))
    weights = np.arange(50 * 7.0).reshape(50, 7)
    reference = torch.tensor(z, requires_grad=True)
    values, units = torch.topk(reference, 2)
    kept = torch.zeros_like(reference).scatter(1, units, values)
    (kept * torch.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(top_2(jnp.asarray(z)), kept.detach())
    gradient = jax.grad(lambda z: jnp.sum(top_2(z) * weights))(jnp.asarray(z))
    np.testing.assert_array_equal(gradient, reference.grad)


def test_top_k_selects_by_value_not_by_magnitude_along_the_last_axis():
    z = jnp.asarray([[[-9.0, 1.0, 2.0]], [[-3.0, -2.0, -1.0]]])
    np.testing.assert_array_equal(top_2(z), [[[0, 1, 2]], [[0, -2, -1]]])


def test_ties_go_to_the_first_units():
    np.testing.assert_array_equal(top_2(jnp.ones((1, 4))), [[1, 1, 0, 0]])


def test_ties_at_the_kth_value_go_to_the_first_units_of_each_example():
    z = jnp.asarray([[1.0, 3.0, 1.0, 1.0], [0.0, 1.0, 1.0, 3.0]])
    np.testing.assert_array_equal(top_2(z), [[1, 3, 0, 0], [0, 1, 0, 3]])


def test_top_k_propagates_nan():
    z = jnp.asarray([[1.0, jnp.nan, 2.0, 3.0], [jnp.nan, jnp.nan, jnp.nan, 3.0]])
    found = top_2(z)
    np.testing.assert_array_equal(found[0], [0, jnp.nan, 0, 3])
    assert np.isnan(found[1]).any()


def test_k_equal_to_all_units_is_the_identity():
    z = jnp.asarray([[3.0, -1.0, 2.0]])
    np.testing.assert_array_equal(aejax.top_k(k=3)(z), z)


def test_a_top_k_code_is_sparse_at_test_time():
    model = aejax.dense((5, 20), code_activation=top_2)
    code = model.encode(model.init(jax.random.key(0)), jnp.ones((3, 5)))
    np.testing.assert_array_equal(np.count_nonzero(code, axis=1), [2, 2, 2])


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_unit_is_refused(k):
    with pytest.raises(ValueError, match="k of at least 1"):
        aejax.top_k(k=k)


def test_k_larger_than_the_code_is_refused():
    with pytest.raises(ValueError, match="cannot select 2 of 1 units"):
        top_2(jnp.ones((3, 1)))


def test_straight_through_is_a_step_with_the_logistic_derivative(x64):
    z = np.array([-800.0, -2.0, -0.0, 1e-9, 3.0, 800.0])
    h, tangent = jax.jvp(aejax.straight_through, (jnp.asarray(z),), (jnp.full(6, 3.0),))
    np.testing.assert_array_equal(h, [0, 0, 0, 1, 1, 1])  # exactly, at any z
    np.testing.assert_allclose(tangent, 3 * expit(z) * expit(-z), rtol=1e-13, atol=1e-300)
    gradient = jax.grad(lambda z: jnp.sum(aejax.straight_through(z) * jnp.arange(6.0)))(
        jnp.asarray(z)
    )
    np.testing.assert_allclose(gradient, np.arange(6) * expit(z) * expit(-z), rtol=1e-13)


def test_straight_through_propagates_nan():
    assert np.isnan(aejax.straight_through(jnp.array([jnp.nan]))).all()
