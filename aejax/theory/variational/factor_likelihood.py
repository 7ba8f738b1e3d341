"""Likelihood of probabilistic PCA: its definition, its maximum, and the EM algorithm."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.stats import multivariate_normal
from jaxtyping import Float64

from aejax.types import Array, Params

EM_STEPS = 200
"""Steps of EM, which need not converge, but must not go below a claimed minimum."""


def negative_log_likelihood(params: Params, rows: Array) -> Array:
    """−log p of x = z W + e in the mean over rows, in nats.

    Args:
        params: "loadings" W/σ [k, n] and "log_variance" log σ².
        rows: examples [p, n] with mean zero.

    Returns:
        A scalar.

    Source: Tipping & Bishop 1999, eq. 3.
    """
    return -jnp.mean(_log_densities(params, rows))


def log_densities(
    rows: Float64[np.ndarray, "p n"], loadings: Float64[np.ndarray, "k n"], variance: float
) -> Float64[np.ndarray, " p"]:
    """log p of each row, in nats.

    Args:
        rows: examples with mean zero.
        loadings: W/σ.
        variance: σ².

    Returns:
        One value per row.
    """
    with jax.enable_x64(True):
        params = {"loadings": jnp.asarray(loadings), "log_variance": jnp.log(variance)}
        return np.asarray(_log_densities(params, jnp.asarray(rows)))


def _log_densities(params: Params, rows: Array) -> Array:
    shape = jnp.eye(rows.shape[1], dtype=rows.dtype) + params["loadings"].T @ params["loadings"]
    covariance = jnp.exp(params["log_variance"]) * shape
    return jnp.asarray(multivariate_normal.logpdf(rows, jnp.zeros_like(rows[0]), covariance))


_value_and_gradient = jax.jit(jax.value_and_grad(negative_log_likelihood))


def likelihood_and_gradient(
    rows: Float64[np.ndarray, "p n"], loadings: Float64[np.ndarray, "k n"], variance: float
) -> tuple[float, float]:
    """−log p in the mean over rows, and the norm of its gradient in W/σ and log σ².

    Args:
        rows: examples with mean zero.
        loadings: W/σ.
        variance: σ².

    Returns:
        −log p in nats, and the norm.
    """
    with jax.enable_x64(True):
        params = {"loadings": loadings, "log_variance": np.log(variance)}
        params = jax.tree.map(jnp.asarray, params)
        value, gradient = _value_and_gradient(params, jnp.asarray(rows))
        return float(value), float(optax.tree.norm(gradient))


def axes_scaled_by_signal(
    eigenvalues: Float64[np.ndarray, " used"],
    components: Float64[np.ndarray, "used n"],
    variance: float,
) -> Float64[np.ndarray, "used n"]:
    """W/σ = (Λ/σ² − I)^½ V_Iᵀ; zero rows where λ_i ≤ σ²."""
    return np.sqrt(np.maximum(eigenvalues / variance - 1, 0))[:, None] * components


def least_negative_log_likelihood(
    eigenvalues: Float64[np.ndarray, " used"], variance: float, features: int
) -> float:
    """½ [n log 2π + Σ_I log λ_i + (n − r) log σ² + n], with σ² the mean of the others.

    Args:
        eigenvalues: λ_i of the used eigenvectors, i ∈ I.
        variance: σ².
        features: n.

    Returns:
        −log p in nats, averaged over the examples.
    """
    left = features - len(eigenvalues)
    logarithms = float(np.sum(np.log(eigenvalues))) + left * float(np.log(variance))
    return 0.5 * (features * (1 + float(np.log(2 * np.pi))) + logarithms)


def expectation_maximisation(
    covariance: Float64[np.ndarray, "n n"],
    loadings: Float64[np.ndarray, "k n"],
    variance: float,
    *,
    steps: int = EM_STEPS,
) -> tuple[Float64[np.ndarray, "k n"], float]:
    """Steps of EM for W and σ², none of which decreases the likelihood.

    Args:
        covariance: S.
        loadings: W at the start.
        variance: σ² at the start.
        steps: number of steps (default: 200).

    Returns:
        W and σ² at the end.

    Source: Tipping & Bishop 1999, eq. 27 and 28.
    """
    for _ in range(steps):
        moment = loadings @ loadings.T + variance * np.eye(len(loadings))
        cross = loadings @ covariance
        inner = variance * np.eye(len(loadings)) + np.linalg.solve(moment, cross @ loadings.T)
        loadings = np.linalg.solve(inner.T, cross)
        explained = np.trace(cross.T @ np.linalg.solve(moment, loadings))
        variance = float(np.trace(covariance) - explained) / len(covariance)
    return loadings, variance
