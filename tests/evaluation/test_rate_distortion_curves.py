"""Annealed rate–distortion curves against the closed form of a linear model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from aejax import evaluation
from tests.evaluation.linear_gaussian import (
    FEATURES,
    OBJECTIVE,
    POSTERIOR,
    UNITS,
    VARIANCE,
    X,
    linear_model,
)

BETAS = jnp.geomspace(0.01, 2.0, 250)


def exact(params, beta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rate, distortion and log Z of q_β, a normal; D = ‖x − Wz − b‖²/2v + (n/2) log 2πv."""
    kernel, bias = (np.asarray(params["decoder"]["layer_0"][leaf]) for leaf in ("kernel", "bias"))
    v = VARIANCE / beta
    covariance = np.linalg.inv(np.eye(UNITS) + kernel @ kernel.T / v)
    mean = (X - bias) @ kernel.T @ covariance / v
    trace = np.trace(covariance) + (mean**2).sum(axis=1)
    rate = (trace - UNITS - np.linalg.slogdet(covariance)[1]) / 2
    residual = ((X - bias - mean @ kernel) ** 2).sum(axis=1)
    spread = np.trace(kernel.T @ covariance @ kernel)
    constant = FEATURES / 2 * np.log(2 * np.pi * VARIANCE)
    distortion = (residual + spread) / (2 * VARIANCE) + constant
    marginal = scipy.stats.multivariate_normal(bias, kernel.T @ kernel + v * np.eye(FEATURES))
    log_z = marginal.logpdf(X) + FEATURES / 2 * np.log(2 * np.pi * v) - beta * constant
    np.testing.assert_allclose(rate, -log_z - beta * distortion, rtol=1e-8)
    return rate, distortion, log_z


def test_the_curve_is_the_closed_form_of_a_linear_model(x64):
    params, log_p = linear_model()

    @jax.jit
    def curve(params, key):
        return evaluation.annealed_rate_distortion(
            OBJECTIVE, params, X, key, posterior=POSTERIOR, betas=BETAS, chains=200
        )

    found = curve(params, jax.random.key(0))
    for step in (0, 60, 150, -1):
        rate, distortion, log_z = exact(params, float(BETAS[step]))
        np.testing.assert_allclose(found.log_partition[step], log_z, atol=0.1, rtol=0.02)
        np.testing.assert_allclose(found.distortion[step].mean(), distortion.mean(), rtol=0.05)
        np.testing.assert_allclose(found.rate[step].mean(), rate.mean(), atol=0.05, rtol=0.05)
    assert exact(params, float(BETAS[-1]))[0].mean() > 20 * 0.05  # the tolerance is small
    one = int(np.abs(BETAS - 1).argmin())
    assert abs(exact(params, 1.0)[2] - log_p).max() < 1e-8
    assert np.abs(found.log_partition[one] - exact(params, float(BETAS[one]))[2]).max() < 0.25
    assert 0.4 < found.acceptance[50:].mean() < 0.9
    rates, distortions = found.rate.mean(axis=1), found.distortion.mean(axis=1)
    assert (np.diff(rates[100::49]) > 0).all()
    assert (np.diff(distortions[100::49]) < 0).all()


def test_wrong_arguments_are_refused():
    params, _ = linear_model()
    settings = {"posterior": POSTERIOR, "betas": BETAS}
    for name in ("chains", "leapfrog_steps"):
        with pytest.raises(ValueError, match="chains and leapfrog_steps must be at least 1"):
            evaluation.annealed_rate_distortion(
                OBJECTIVE, params, X, jax.random.key(0), **settings, **{name: 0}
            )
    with pytest.raises(ValueError, match="step_size must lie in"):
        evaluation.annealed_rate_distortion(
            OBJECTIVE, params, X, jax.random.key(0), **settings, step_size=0.0
        )
