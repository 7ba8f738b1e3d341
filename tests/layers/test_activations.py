"""The k-sparse activation against PyTorch and NumPy; straight-through units against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy.special import expit

import aejax
from aejax.layers.activations import MAX_GROUPS, MIN_GROUPED_UNITS, num_groups

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


@pytest.mark.parametrize("k", [1, 5, 40])
def test_a_wide_code_in_groups_has_the_same_largest_units(k):
    units = 2 * MIN_GROUPED_UNITS
    assert num_groups(units, k) > 1
    z = np.random.default_rng(k).integers(-9, 9, (2, 3, units)).astype(np.float32)  # many ties
    order = np.argsort(-z, axis=-1, kind="stable")[..., :k]
    expected = np.zeros_like(z)
    np.put_along_axis(expected, order, np.take_along_axis(z, order, axis=-1), axis=-1)
    np.testing.assert_array_equal(aejax.top_k(k=k)(jnp.asarray(z)), expected)


def test_groups_divide_the_units_and_keep_enough_of_them():
    assert num_groups(MIN_GROUPED_UNITS - 2, 4) == 1  # a narrow code
    assert num_groups(MIN_GROUPED_UNITS + 1, 4) == 1  # an odd number of units
    assert num_groups(MIN_GROUPED_UNITS, MIN_GROUPED_UNITS // 8) == 1
    assert num_groups(2**20, 64) == MAX_GROUPS
    assert num_groups(3 * 2**14, 256) == 16


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
