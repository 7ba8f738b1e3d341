"""Total correlation: the published estimator in NumPy, and the exact value of a Gaussian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

import aejax
from aejax import losses, penalties, posteriors

RANDOM = np.random.default_rng(0)


def test_the_estimator_is_that_of_the_paper(x64):
    z, mean, log_variance = RANDOM.normal(size=(3, 9, 4))
    each = norm.logpdf(z[:, None], mean, np.exp(log_variance / 2))
    count = np.log(50 * 9)
    joint = logsumexp(each.sum(axis=2), axis=1) - count
    marginals = (logsumexp(each, axis=1) - count).sum(axis=1)
    found = penalties.weighted_total_correlation(
        *map(jnp.asarray, (z, mean, log_variance)), examples=50
    )
    np.testing.assert_allclose(found, joint - marginals, rtol=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_estimate_for_all_examples_is_that_of_their_gaussian(correlation):
    """Means from N(0, C) and variance s² have the aggregate N(0, C + s² I)."""
    examples, variance = 2000, 0.25
    covariance = np.array([[1, correlation], [correlation, 1]])
    mean = RANDOM.multivariate_normal(np.zeros(2), covariance, size=examples)
    z = mean + np.sqrt(variance) * RANDOM.normal(size=mean.shape)
    total = covariance + variance * np.eye(2)
    exact = -np.log(np.linalg.det(total) / np.prod(np.diag(total))) / 2
    found = jax.jit(penalties.weighted_total_correlation, static_argnames="examples")(
        jnp.asarray(z, jnp.float32),
        jnp.asarray(mean, jnp.float32),
        jnp.full(mean.shape, np.log(variance), jnp.float32),
        examples=examples,
    )
    estimate = np.asarray(found).mean() - np.log(examples)
    assert estimate == pytest.approx(exact, abs=0.06)


def test_the_penalty_reads_the_sample_of_the_pass_and_refuses_other_codes():
    posterior = posteriors.diagonal_gaussian()
    model = aejax.variational((6, 3))
    term = penalties.total_correlation(examples=100)
    objective = aejax.objective(model, losses.squared, perturbation=posterior.sample)
    params = model.init(jax.random.key(0))
    x = jnp.asarray(RANDOM.normal(size=(8, 6)), jnp.float32)
    record = aejax.forward(objective, params, aejax.Batch(x), jax.random.key(1))
    expected = penalties.weighted_total_correlation(
        record.latent, record.code.mean, record.code.log_variance, examples=100
    )
    np.testing.assert_allclose(term(record), expected, rtol=1e-6)
    assert term(record._replace(latent=record.code)).shape == (8,)
    with pytest.raises(ValueError, match=r"needs the code of posteriors\.diagonal_gaussian"):
        term(record._replace(code=record.latent))
    with pytest.raises(ValueError, match="examples of total_correlation"):
        penalties.total_correlation(examples=0)
