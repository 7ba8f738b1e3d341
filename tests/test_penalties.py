"""Penalties against SciPy, finite differences, and one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import entropy

import aejax
from aejax import Batch, losses, penalties


def record_of(model: aejax.Autoencoder, x: jax.Array) -> aejax.Pass:
    params = model.init(jax.random.key(0))
    return aejax.forward(
        aejax.objective(model, losses.squared), params, Batch(x), jax.random.key(1)
    )


@pytest.fixture
def record(x64):
    return record_of(aejax.dense((5, 3)), jax.random.normal(jax.random.key(2), (7, 5)))


def test_l2_sums_squared_kernels_and_no_biases(record):
    params = jax.tree.map(lambda leaf: leaf + 1.0, record.params)
    kernels = [params[side]["layer_0"]["kernel"] for side in ("encoder", "decoder")]
    expected = sum(np.sum(np.square(kernel)) for kernel in kernels)
    np.testing.assert_allclose(penalties.l2()(record._replace(params=params)), expected)


def test_l2_counts_a_tied_kernel_once():
    record = record_of(aejax.dense((5, 3), tied=True), jnp.ones((1, 5)))
    kernel = record.params["encoder"]["layer_0"]["kernel"]
    np.testing.assert_allclose(penalties.l2()(record), np.sum(np.square(kernel)), rtol=1e-6)


def test_l1_is_the_codes_one_norm(record):
    np.testing.assert_allclose(penalties.l1()(record), np.linalg.norm(record.code, 1, axis=1))


def test_select_picks_a_part_of_the_codes_tree(record):
    nested = record._replace(code={"mean": -2 * record.code, "other": None})
    picked = penalties.l1(select=lambda code: code["mean"])(nested)
    np.testing.assert_allclose(picked, 2 * penalties.l1()(record))


def test_bernoulli_kl_is_scipys_entropy(x64):
    for rho in (0.0, 0.05, 0.5, 1.0):
        for rho_hat in (0.01, 0.05, 0.7):
            expected = entropy([rho, 1 - rho], [rho_hat, 1 - rho_hat])
            found = penalties.bernoulli_kl(rho, jnp.asarray([rho_hat]))
            np.testing.assert_allclose(found, [expected], rtol=1e-12, atol=1e-16)


def test_bernoulli_kl_has_its_minimum_zero_at_rho_and_the_courses_derivative(x64):
    rho, rho_hat = 0.2, jnp.linspace(0.01, 0.99, 197)
    value = penalties.bernoulli_kl(rho, rho_hat)
    assert rho_hat[np.argmin(value)] == pytest.approx(rho)
    assert value.min() == pytest.approx(0.0, abs=1e-15)
    derivative = jax.grad(lambda rho_hat: penalties.bernoulli_kl(rho, rho_hat).sum())(rho_hat)
    np.testing.assert_allclose(
        derivative, -rho / rho_hat + (1 - rho) / (1 - rho_hat), rtol=1e-9, atol=1e-14
    )


@pytest.mark.parametrize("x64", [False, True])
def test_bernoulli_kl_stays_finite_at_dead_and_saturated_units(x64):
    with jax.enable_x64(x64):
        dead = jnp.asarray([0.0, 1.0])
        value, gradient = jax.value_and_grad(lambda r: penalties.bernoulli_kl(0.05, r).sum())(dead)
        assert np.isfinite(value)
        assert value > 10
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("rho_hat", [-0.1, 1.5, np.nan])
def test_bernoulli_kl_refuses_means_that_no_logistic_code_has(rho_hat):
    with pytest.raises(ValueError, match=r"logistic code, must lie in \[0, 1\]"):
        penalties.bernoulli_kl(0.05, jnp.asarray([rho_hat]))


def test_kl_sparsity_takes_the_mean_over_the_batch(record):
    rho_hat = np.mean(record.code, axis=0)
    expected = sum(entropy([0.1, 0.9], [r, 1 - r]) for r in rho_hat)
    np.testing.assert_allclose(penalties.kl_sparsity(rho=0.1)(record), expected, rtol=1e-10)


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 6, 2)])
def test_contractive_is_the_jacobian_by_finite_differences(sizes, x64):
    model = aejax.dense(sizes, activation=jax.nn.tanh)
    record = record_of(model, jax.random.normal(jax.random.key(3), (4, sizes[0])))
    found = penalties.contractive()(record)
    for example, value in zip(record.batch.x, found, strict=True):
        jacobian = approx_fprime(
            np.asarray(example),
            lambda x: np.asarray(model.encode(record.params, jnp.asarray(x)[None])[0]),
            1e-7,
        )
        np.testing.assert_allclose(value, np.sum(jacobian**2), rtol=1e-5)


def test_contractive_of_a_logistic_layer_is_its_closed_form(record):
    exact, closed = penalties.contractive(), penalties.contractive_logistic()
    np.testing.assert_allclose(exact(record), closed(record), rtol=1e-13)
    params = jax.tree.map(lambda leaf: 3 * leaf + 0.1, record.params)
    record = record._replace(params=params)
    np.testing.assert_allclose(exact(record), closed(record), rtol=1e-13)


def test_contractive_looks_at_the_clean_input(record):
    shifted = record._replace(x_corrupted=record.x_corrupted + 1, code=record.code * 0)
    for penalty in (penalties.contractive(), penalties.contractive_logistic()):
        np.testing.assert_array_equal(penalty(shifted), penalty(record))


def test_contractive_logistic_refuses_a_deep_encoder():
    record = record_of(aejax.dense((5, 4, 3)), jnp.ones((1, 5)))
    with pytest.raises(ValueError, match=r"one logistic layer, got 2 layers; use contractive\(\)"):
        penalties.contractive_logistic()(record)


@pytest.mark.parametrize("rho", [-0.01, 1.01, np.nan])
def test_kl_sparsity_refuses_a_rho_outside_its_range(rho):
    with pytest.raises(ValueError, match=r"rho must lie in \[0, 1\]"):
        penalties.kl_sparsity(rho=rho)


def test_hyperparameters_may_be_vmapped(record):
    rhos = jnp.asarray([0.05, 0.2, 0.5])
    together = jax.vmap(lambda rho: penalties.kl_sparsity(rho=rho)(record))(rhos)
    one_by_one = [penalties.kl_sparsity(rho=float(rho))(record) for rho in rhos]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-12)
