"""A linear variational autoencoder whose posteriors and log-likelihood are known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

import aejax
from aejax import losses, posteriors

POSTERIOR = posteriors.diagonal_gaussian()
FEATURES, UNITS, VARIANCE = 5, 2, 0.4
X = np.random.default_rng(0).normal(size=(7, FEATURES))
OBJECTIVE = aejax.objective(
    aejax.variational((FEATURES, UNITS)),
    losses.gaussian(variance=VARIANCE),
    perturbation=POSTERIOR.sample,
)


def linear_model(widening: float = 1.0) -> tuple[dict, np.ndarray]:
    """Parameters with orthogonal columns, and SciPy's log p of each row of X.

    The mean of q(z | x) is that of the exact posterior, its deviation is `widening` times as large.
    """
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(FEATURES, UNITS)))[0]
    kernel, bias = (basis * [1.5, 0.7]).T, rng.normal(size=FEATURES)
    precision = np.sum(kernel**2, axis=1) / VARIANCE + 1
    encoder = (kernel / (VARIANCE * precision[:, None])).T
    log_variance = 2 * np.log(widening) - np.log(precision)
    params = {
        "encoder": {
            "layer_0": {
                "kernel": np.concatenate([encoder, np.zeros_like(encoder)], axis=1),
                "bias": np.concatenate([-bias @ encoder, log_variance]),
            }
        },
        "decoder": {"layer_0": {"kernel": kernel, "bias": bias}},
    }
    covariance = kernel.T @ kernel + VARIANCE * np.eye(FEATURES)
    log_p = scipy.stats.multivariate_normal(bias, covariance).logpdf(X)
    return jax.tree.map(jnp.asarray, params), log_p


def relative_variance(widening: float) -> float:
    """Var(w)/E[w]² = ∫ p²/q − 1 of one-dimensional normals p and q, once for each unit."""
    return (widening**2 / np.sqrt(2 * widening**2 - 1)) ** UNITS - 1
