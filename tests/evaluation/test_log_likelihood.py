"""Importance-sampled log-likelihoods against SciPy's exact ones of a linear Gaussian model."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import aejax
from aejax import evaluation, losses
from tests.evaluation.linear_gaussian import (
    OBJECTIVE,
    POSTERIOR,
    VARIANCE,
    X,
    linear_model,
    relative_variance,
)

KEY = jax.random.key(0)
WIDENING = 1.5


@partial(jax.jit, static_argnames=("samples", "block_size", "prior", "objective"))
def estimate(params, key=KEY, x=X, *, objective=OBJECTIVE, **settings):
    return evaluation.log_likelihood(objective, params, x, key, posterior=POSTERIOR, **settings)


def repeated(samples: int, repetitions: int) -> evaluation.LogLikelihood:
    """Estimates with many keys, [repetitions, batch]."""
    params, _ = linear_model(WIDENING)
    keys = jax.random.split(jax.random.key(samples), repetitions)
    return jax.jit(jax.vmap(lambda key: estimate(params, key, samples=samples)))(keys)


@pytest.mark.parametrize("samples", [1, 70])
def test_with_the_exact_posterior_the_estimate_is_exact(samples, x64):
    params, log_p = linear_model()
    found = estimate(params, samples=samples)
    np.testing.assert_allclose(found.value, log_p, rtol=1e-12)
    np.testing.assert_allclose(found.elbo, log_p, rtol=1e-12)
    np.testing.assert_allclose(found.effective_samples, samples, rtol=1e-12)
    if samples > 1:
        np.testing.assert_allclose(found.variance, 0, atol=1e-12)


def test_bias_and_variance_decrease_with_the_samples_as_the_delta_method_states(x64):
    _, log_p = linear_model()
    biases = {}
    for samples, repetitions in ((20, 4000), (500, 200)):
        found = repeated(samples, repetitions)
        order = relative_variance(WIDENING) / samples
        np.testing.assert_allclose(np.mean(np.var(found.value, axis=0)), order, rtol=0.12)
        np.testing.assert_allclose(found.variance.mean(), order, rtol=0.12)
        np.testing.assert_array_equal(found.bias, -found.variance / 2)
        biases[samples] = np.mean(found.value - log_p)
        error = np.sqrt(order / found.value.size)
        assert abs(biases[samples] + order / 2) < 5 * error + order**2
    assert biases[20] < 0
    assert abs(biases[500]) < abs(biases[20]) / 5


def test_five_thousand_samples_are_the_exact_log_likelihood_within_their_error(x64):
    params, log_p = linear_model(WIDENING)
    found = estimate(params)
    assert np.abs((found.value - log_p) / np.sqrt(found.variance)).max() < 5
    assert found.variance.max() < 1e-3
    np.testing.assert_allclose(
        5000 / found.effective_samples, 1 + relative_variance(WIDENING), rtol=0.05
    )


def test_one_sample_is_the_evidence_lower_bound_of_its_key(x64):
    """In expectation over keys, log p − KL(q ‖ posterior) of normals that share their mean."""
    _, log_p = linear_model(WIDENING)
    found = repeated(1, 4000)
    np.testing.assert_array_equal(found.value, found.elbo)
    assert np.isnan(found.variance).all()
    assert np.isnan(found.bias).all()
    gap = 2 * (WIDENING**2 - 1 - 2 * np.log(WIDENING)) / 2
    error = np.std(found.value - log_p) / np.sqrt(found.value.size)
    assert abs(np.mean(found.value - log_p) + gap) < 5 * error
    assert gap > 20 * error


def test_the_result_depends_on_the_key_and_not_on_the_blocks(x64):
    params, _ = linear_model(WIDENING)
    found = estimate(params, samples=70)
    again = estimate(params, samples=70, block_size=32)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), found, again)
    assert np.abs(estimate(params, jax.random.key(1), samples=70).value - found.value).min() > 1e-6


def test_far_examples_are_finite_in_float32():
    """Weights of e^-100000 underflow outside log space."""
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), linear_model()[0])
    x = np.full((3, 5), 400.0, np.float32)
    found = estimate(params, x=jnp.asarray(x), samples=60)
    kernel, bias = (np.asarray(params["decoder"]["layer_0"][leaf]) for leaf in ("kernel", "bias"))
    covariance = kernel.T @ kernel + VARIANCE * np.eye(5)
    exact = scipy.stats.multivariate_normal(bias, covariance).logpdf(x)
    assert exact.max() < -1e5
    np.testing.assert_allclose(found.value, exact, rtol=1e-3)
    assert np.isfinite(found.variance).all()


def test_noise_and_penalties_of_the_objective_are_not_used(x64):
    params, _ = linear_model(WIDENING)
    noisy = aejax.objective(
        OBJECTIVE.model,
        losses.gaussian(variance=VARIANCE),
        corruption=aejax.corruptions.gaussian(sigma=1.0),
        penalties={"l2": (1.0, aejax.penalties.l2())},
    )
    found = estimate(params, samples=1, objective=noisy)
    np.testing.assert_array_equal(found.value, estimate(params, samples=1).value)


def test_a_prior_replaces_the_standard_one(x64):
    """With log p(z) = 0, the exact log weight is log p(x) − log N(z; 0, I)."""
    params, log_p = linear_model()
    found = estimate(params, samples=1, prior=constant_prior)
    code = OBJECTIVE.model.encode(params, jnp.asarray(X))
    z = POSTERIOR.sample(jax.random.split(jax.random.split(KEY)[1], 1)[0], code)
    expected = log_p - scipy.stats.norm.logpdf(z).sum(axis=1)
    np.testing.assert_allclose(found.value, expected, rtol=1e-10)


def constant_prior(model, params, z):
    return jnp.zeros(len(z), z.dtype)


def test_the_standard_error_is_scipys(x64):
    values = np.random.default_rng(1).normal(size=30)
    mean, error = evaluation.mean_with_error(jnp.asarray(values))
    np.testing.assert_allclose([mean, error], [values.mean(), scipy.stats.sem(values)], rtol=1e-12)


def test_wrong_arguments_are_refused():
    params, _ = linear_model()
    with pytest.raises(ValueError, match="must be at least 1, got 0 and 50"):
        estimate(params, samples=0)
    with pytest.raises(ValueError, match="must be at least 1, got 5 and 0"):
        estimate(params, samples=5, block_size=0)
    with pytest.raises(ValueError, match="at least two examples, got 1"):
        evaluation.mean_with_error(jnp.zeros(1))
