"""Gaussian mixtures against SciPy, quadrature, and Tweedie's identity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from aejax.theory.analysis import gaussian_mixtures as mixtures

SIGMA = 0.4


@pytest.fixture
def mixture(x64):
    return mixtures.GaussianMixture(
        weights=jnp.asarray([0.5, 0.3, 0.2]),
        means=jnp.asarray([[0.0, 0.0], [2.0, 1.0], [-1.0, 2.0]]),
        covariances=jnp.asarray([[[0.5, 0.2], [0.2, 0.3]], [[0.1, 0], [0, 0.9]], np.eye(2) / 9]),
    )


@pytest.fixture
def x(x64):
    return 3 * jax.random.normal(jax.random.key(0), (200, 2))


def test_log_density_equals_scipy(mixture, x):
    expected = sum(
        weight * stats.multivariate_normal(mean, covariance).pdf(x)
        for weight, mean, covariance in zip(*mixture, strict=True)
    )
    np.testing.assert_allclose(mixtures.log_density(mixture, x), np.log(expected), rtol=1e-12)


def test_score_is_the_gradient_of_the_log_density(mixture, x):
    gradient = jax.grad(lambda x: mixtures.log_density(mixture, x).sum())(x)
    np.testing.assert_allclose(mixtures.score(mixture, x), gradient, rtol=1e-12, atol=1e-12)


def test_posterior_mean_equals_quadrature(mixture, x):
    axis = np.linspace(-6, 7, 600)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    prior = np.exp(mixtures.log_density(mixture, jnp.asarray(grid)))
    for x_corrupted in np.asarray(x)[np.all(np.abs(x) < 3, axis=1)][:10]:
        weights = prior * np.exp(-np.sum((x_corrupted - grid) ** 2, axis=1) / (2 * SIGMA**2))
        expected = weights @ grid / weights.sum()
        found = mixtures.posterior_mean(mixture, jnp.asarray(x_corrupted)[None], sigma=SIGMA)
        np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.01, 0.4, 3.0])
def test_tweedies_identity_holds_to_rounding(mixture, x, sigma):
    estimate = (mixtures.posterior_mean(mixture, x, sigma=sigma) - x) / sigma**2
    expected = mixtures.score(mixtures.convolve_gaussian(mixture, sigma), x)
    # The difference x̂ − x̃ loses ε |x̃|, which the division raises by 1/σ².
    rounding = 1e-12 * max(1, 0.01 / sigma**2)
    np.testing.assert_allclose(estimate, expected, rtol=1e-12, atol=rounding)


def test_the_parzen_denoiser_is_that_of_a_mixture_of_point_masses(x):
    examples = x[:40]
    points = mixtures.GaussianMixture(jnp.full(40, 1 / 40), examples, jnp.zeros((40, 2, 2)))
    found = mixtures.parzen_posterior_mean(examples, x, sigma=SIGMA)
    expected = mixtures.posterior_mean(points, x, sigma=SIGMA)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def test_draws_have_the_moments_of_the_mixture(mixture):
    draws = 100_000
    x = np.asarray(mixtures.sample(jax.random.key(1), mixture, draws))
    weights, means, covariances = map(np.asarray, mixture)
    mean = weights @ means
    second = np.einsum("k,kij->ij", weights, covariances)
    second += np.einsum("k,ki,kj->ij", weights, means, means)
    products = np.einsum("ei,ej->eij", x, x)
    for draw, expected in ((x, mean), (products, second)):
        bound = stats.norm.isf(0.5e-9) * draw.std(axis=0) / np.sqrt(draws)
        assert np.all(np.abs(draw.mean(axis=0) - expected) <= bound)


def test_convolution_adds_the_noise_variance_to_the_covariances(mixture):
    noisy = mixtures.convolve_gaussian(mixture, SIGMA)
    for found, covariance in zip(noisy.covariances, mixture.covariances, strict=True):
        np.testing.assert_allclose(found, covariance + SIGMA**2 * np.eye(2), rtol=1e-15)


@pytest.mark.parametrize("sigma", [-0.1, np.nan])
def test_an_invalid_standard_deviation_is_rejected(mixture, sigma):
    with pytest.raises(ValueError, match="sigma must lie in"):
        mixtures.convolve_gaussian(mixture, sigma)
