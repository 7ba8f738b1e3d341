"""Posterior statistics against closed forms of Gaussians, SciPy and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from aejax import evaluation, posteriors
from tests.evaluation.linear_gaussian import OBJECTIVE, POSTERIOR, VARIANCE, X, linear_model

SPREAD, NOISE = 1.2, 0.5
"""Deviation of the posterior means over examples, and of each posterior."""
KEY = jax.random.key(0)
aggregate_posterior = jax.jit(
    evaluation.aggregate_posterior, static_argnums=0, static_argnames=("log_prior", "block_size")
)


def gaussian_code(key, examples: int) -> posteriors.Gaussian:
    """One unit whose aggregate posterior is N(0, SPREAD² + NOISE²)."""
    mean = SPREAD * jax.random.normal(key, (examples, 1))
    return posteriors.Gaussian(mean, jnp.full_like(mean, 2 * np.log(NOISE)))


def test_active_units_are_those_whose_mean_varies():
    mean = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 0.2, 0.05, 0.0] + 3
    np.testing.assert_array_equal(
        evaluation.active_units(jnp.asarray(mean)), mean.var(axis=0) > 0.01
    )
    assert evaluation.active_units(jnp.asarray(mean)).tolist() == [True, True, False, False]
    assert evaluation.active_units(jnp.asarray(mean), threshold=0.1).sum() == 1


def test_estimates_are_those_of_explicit_mixtures_in_scipy(x64):
    rng = np.random.default_rng(1)
    mean, deviation = rng.normal(size=(9, 2)), np.exp(rng.normal(size=(9, 2)) / 2)
    code = posteriors.Gaussian(jnp.asarray(mean), jnp.asarray(2 * np.log(deviation)))
    z = np.asarray(POSTERIOR.sample(KEY, code))
    pairs = scipy.stats.norm.logpdf(z[:, None], mean, deviation).sum(axis=-1)
    own, log_prior = np.diag(pairs), scipy.stats.norm.logpdf(z).sum(axis=-1)
    every = scipy.special.logsumexp(pairs, axis=1) - np.log(9)
    without = pairs + np.where(np.eye(9, dtype=bool), -np.inf, 0)
    others = scipy.special.logsumexp(without, axis=1) - np.log(8)
    expected = [own - log_prior, own - every, own - others, others - log_prior, every - log_prior]
    for block_size in (4, 100):
        found = aggregate_posterior(POSTERIOR, KEY, code, block_size=block_size)
        np.testing.assert_allclose(found, np.mean(expected, axis=1), rtol=1e-10)
    flat = aggregate_posterior(POSTERIOR, KEY, code, log_prior=lambda z: 0 * z[:, 0])
    np.testing.assert_allclose(flat.divergence_upper, every.mean(), rtol=1e-10)
    np.testing.assert_allclose(flat.mutual_information_upper, (own - others).mean(), rtol=1e-10)


def test_bounds_enclose_the_closed_forms_of_gaussians(x64):
    """Over 3000 data sets of 6 examples, in expectation; one data set of 3000 is close."""
    total = SPREAD**2 + NOISE**2
    information = np.log(total / NOISE**2) / 2
    divergence = (total - 1 - np.log(total)) / 2

    @jax.jit
    @jax.vmap
    def estimates(key):
        key_code, key = jax.random.split(key)
        return evaluation.aggregate_posterior(POSTERIOR, key, gaussian_code(key_code, 6))

    found = estimates(jax.random.split(KEY, 3000))
    margins = {
        "rate": found.rate - information - divergence,
        "lower": information - found.mutual_information_lower,
        "upper": found.mutual_information_upper - information,
        "divergence lower": divergence - found.divergence_lower,
        "divergence upper": found.divergence_upper - divergence,
    }
    z_values = {
        name: margin.mean() / margin.std() * np.sqrt(3000) for name, margin in margins.items()
    }
    assert abs(z_values.pop("rate")) < 5
    assert min(z_values.values()) > 5
    many = aggregate_posterior(POSTERIOR, KEY, gaussian_code(jax.random.key(9), 3000))
    np.testing.assert_allclose(many.mutual_information_lower, information, rtol=0.05)
    np.testing.assert_allclose(many.mutual_information_upper, information, rtol=0.05)
    np.testing.assert_allclose(many.divergence_upper, divergence, rtol=0.2)


def test_codes_that_do_not_depend_on_x_have_no_information(x64):
    """Also on the sphere, where divergence and rate are those of one posterior."""
    posterior = posteriors.von_mises_fisher()
    code = posterior.code(jnp.ones((40, posterior.outputs(3))))
    found = aggregate_posterior(posterior, KEY, code)
    np.testing.assert_allclose(found.mutual_information_lower, 0, atol=1e-12)
    np.testing.assert_allclose(found.mutual_information_upper, 0, atol=1e-12)
    np.testing.assert_allclose(found.divergence_upper, found.rate, rtol=1e-12)


def test_rate_and_distortion_are_pytorchs_and_scipys(x64):
    params, _ = linear_model(1.5)
    found = evaluation.rate_and_distortion(OBJECTIVE, params, X, KEY, posterior=POSTERIOR)
    code = OBJECTIVE.model.encode(params, jnp.asarray(X))
    mean, deviation = (np.array(part) for part in (code.mean, jnp.exp(code.log_variance / 2)))
    normal = torch.distributions.Normal
    rate = torch.distributions.kl_divergence(
        normal(torch.tensor(mean), torch.tensor(deviation)), normal(0.0, 1.0)
    )
    np.testing.assert_allclose(found.rate, rate.sum(-1), rtol=1e-10)
    z = POSTERIOR.sample(jax.random.split(KEY)[1], code)
    x_hat = OBJECTIVE.model.decode(params, z)
    expected = -scipy.stats.norm.logpdf(X, x_hat, np.sqrt(VARIANCE)).sum(axis=1)
    np.testing.assert_allclose(found.distortion, expected, rtol=1e-10)


def test_one_example_is_refused():
    with pytest.raises(ValueError, match="at least 2 examples and a block size of at least 1"):
        evaluation.aggregate_posterior(POSTERIOR, KEY, gaussian_code(KEY, 1))
    with pytest.raises(ValueError, match="got 5 and 0"):
        evaluation.aggregate_posterior(POSTERIOR, KEY, gaussian_code(KEY, 5), block_size=0)


def test_means_whose_variance_is_not_defined_are_refused():
    with pytest.raises(ValueError, match=r"at least 2 examples, got means \[1, 3\]"):
        evaluation.active_units(jnp.zeros((1, 3)))
    mean = jnp.zeros((4, 2)).at[1, 0].set(jnp.nan)
    with pytest.raises(ValueError, match=r"mean has NaN or infinity: 1 of 8, .* \(1, 0\)"):
        evaluation.active_units(mean)
    assert jax.jit(evaluation.active_units)(jnp.eye(2)).tolist() == [True, True]
