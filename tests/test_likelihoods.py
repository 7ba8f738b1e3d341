"""Negative log-likelihoods against torch.distributions, SciPy and mpmath."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from jax.test_util import check_grads
from jaxtyping import TypeCheckError

from aejax import likelihoods, losses

RNG = np.random.default_rng(0)
OUTPUT = 3 * RNG.normal(size=(20, 4, 2))
X = RNG.uniform(size=(20, 4))


@pytest.mark.parametrize("variance", [1.0, 0.01, jnp.array([0.5, 1.0, 2.0, 4.0])])
def test_gaussian_is_scipys_with_its_constants(variance, x64):
    found = losses.gaussian(variance=variance).elementwise(*map(jnp.asarray, (OUTPUT[..., 0], X)))
    expected = -scipy.stats.norm.logpdf(X, OUTPUT[..., 0], np.sqrt(np.asarray(variance, float)))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_gaussian_with_variance_is_scipys(x64):
    found = losses.gaussian_with_variance().elementwise(jnp.asarray(OUTPUT), jnp.asarray(X))
    expected = -scipy.stats.norm.logpdf(X, OUTPUT[..., 0], np.exp(OUTPUT[..., 1] / 2))
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    mean = losses.gaussian_with_variance().mean(jnp.asarray(OUTPUT))
    np.testing.assert_array_equal(mean, OUTPUT[..., 0])


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_probabilities_of_all_levels_are_scipys_and_sum_to_one(levels, x64):
    x = np.linspace(0, 1, levels)
    location, log_scale = OUTPUT[:, :1, 0] / 3, OUTPUT[:, :1, 1]
    output = np.stack(np.broadcast_arrays(location, log_scale), axis=-1)
    output = np.broadcast_to(output, (20, levels, 2))
    loss = losses.discretised_logistic(levels=levels)
    found = loss.elementwise(jnp.asarray(output), jnp.broadcast_to(x, (20, levels)))
    np.testing.assert_allclose(np.exp(-found).sum(axis=1), 1, rtol=1e-12)
    edges = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
    below = scipy.stats.logistic.cdf(edges, location, np.exp(log_scale))
    np.testing.assert_allclose(np.exp(-found), np.diff(below), rtol=1e-9, atol=1e-14)
    np.testing.assert_array_equal(loss.mean(jnp.asarray(output)), output[..., 0].clip(0, 1))


@pytest.mark.parametrize(("location", "log_scale"), [(40.0, -1.0), (-40.0, -1.0), (0.5, 12.0)])
def test_tails_of_the_discretised_logistic_are_mpmaths(location, log_scale, x64):
    """Probabilities down to e^{−100}, whose difference of distribution functions would be zero."""
    with mpmath.workdps(80):
        scale = mpmath.exp(log_scale)

        def cdf(edge):
            return 1 / (1 + mpmath.exp(-(edge - mpmath.mpf(location)) / scale))

        centre, half = mpmath.mpf(100) / 255, mpmath.mpf(1) / 510
        exact = float(-mpmath.log(cdf(centre + half) - cdf(centre - half)))
    found = losses.discretised_logistic().elementwise(
        jnp.array([location, log_scale]), jnp.asarray(100 / 255)
    )
    assert found == pytest.approx(exact, rel=1e-11)


def test_continuous_bernoulli_is_pytorchs(x64):
    logits = OUTPUT[..., 0]
    reference = torch.distributions.ContinuousBernoulli(logits=torch.tensor(logits))
    found = losses.continuous_bernoulli.elementwise(jnp.asarray(logits), jnp.asarray(X))
    np.testing.assert_allclose(found, -reference.log_prob(torch.tensor(X)), rtol=1e-9)
    np.testing.assert_allclose(
        losses.continuous_bernoulli.mean(jnp.asarray(logits)), reference.mean, rtol=1e-8
    )


@pytest.mark.parametrize("logit", [0.0, 1e-8, -1e-3, 0.05, 0.39, 0.41, -0.6, 5.0, -80.0, 1000.0])
def test_continuous_bernoulli_and_its_mean_are_mpmaths_near_and_far_from_zero(logit, x64):
    with mpmath.workdps(60):
        eta = mpmath.mpf(logit)
        log_normaliser = mpmath.log(mpmath.expm1(eta) / eta) if logit else mpmath.mpf(0)
        exact = float(log_normaliser - mpmath.mpf("0.3") * eta)
        mean = float(1 / -mpmath.expm1(-eta) - 1 / eta) if logit else 0.5
    loss, given = losses.continuous_bernoulli, jnp.asarray(logit)
    assert loss.elementwise(given, jnp.asarray(0.3)) == pytest.approx(exact, rel=1e-11, abs=1e-15)
    assert loss.mean(given) == pytest.approx(mean, rel=1e-11)
    gradient = jax.grad(loss.elementwise)(given, jnp.asarray(0.3))
    assert gradient == pytest.approx(mean - 0.3, rel=1e-9)


@pytest.mark.parametrize("loss", [losses.gaussian_with_variance(), losses.discretised_logistic()])
def test_gradients_of_two_parameters_are_those_of_finite_differences(loss, x64):
    x = jnp.asarray(np.round(X * 255) / 255)

    def total(output):
        return loss.elementwise(output, x).sum()

    check_grads(
        jax.jit(total), (jnp.asarray(OUTPUT),), order=1, modes=["rev"], atol=1e-5, rtol=1e-5
    )


def test_log_parameters_are_clipped_to_the_stated_ranges():
    output = jnp.array([[0.5, -1e4], [0.5, 1e4]])
    for loss, (low, high) in (
        (losses.gaussian_with_variance(), likelihoods.LOG_VARIANCE_RANGE),
        (losses.discretised_logistic(), likelihoods.LOG_SCALE_RANGE),
    ):
        bounded = jnp.array([[0.5, low], [0.5, high]])
        x = jnp.full(2, 0.2)
        np.testing.assert_array_equal(loss.elementwise(output, x), loss.elementwise(bounded, x))


def test_wrong_arguments_are_refused():
    for variance in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"variance of losses\.gaussian must lie in"):
            losses.gaussian(variance=variance)
    with pytest.raises(ValueError, match="at least 2 levels, got 1"):
        losses.discretised_logistic(levels=1)
    with pytest.raises((ValueError, TypeCheckError), match="levels"):
        losses.discretised_logistic(levels=2.0)
    for loss in (losses.gaussian_with_variance(), losses.discretised_logistic()):
        with pytest.raises(ValueError, match=r"outputs=2\), got shape \[5, 3\]"):
            loss.elementwise(jnp.zeros((5, 3)), jnp.zeros((5, 3)))
