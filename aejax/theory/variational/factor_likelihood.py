"""Likelihood of probabilistic PCA: its definition, its maximum, and the EM algorithm.

Values and gradients come from a least-squares problem, so that their rounding grows with the square
root of the covariance's condition number; the Hessian is that of `jax.scipy`'s density.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.linalg import solve_triangular
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
    shape = jnp.eye(rows.shape[1], dtype=rows.dtype) + params["loadings"].T @ params["loadings"]
    covariance = jnp.exp(params["log_variance"]) * shape
    densities = multivariate_normal.logpdf(rows, jnp.zeros_like(rows[0]), covariance)
    return -jnp.mean(jnp.asarray(densities))


def log_densities_by_least_squares(params: Params, rows: Array) -> Array:
    """log p of each row, in nats, by the QR factorisation of [U I]ᵀ with U = W/σ.

    log det (I + UᵀU) = 2 Σ_l log |R_ll|, and x C⁻¹ xᵀ = min_z ‖x − z W‖²/σ² + ‖z‖². The code z is
    that of the least squares and is not differentiated, as the minimum's gradient is that at the
    minimiser: first derivatives are exact, second ones are not.

    Args:
        params: "decoder" W [k, n] and "log_variance" log σ².
        rows: examples [p, n] with mean zero.

    Returns:
        One value per row.
    """
    decoder, log_variance = params["decoder"], params["log_variance"]
    units, features = decoder.shape
    precision = jnp.exp(-log_variance / 2)
    stacked = jnp.concatenate([precision * decoder.T, jnp.eye(units, dtype=rows.dtype)])
    basis, triangle = jnp.linalg.qr(stacked)
    code = solve_triangular(triangle, precision * basis[:features].T @ rows.T).T
    code = jax.lax.stop_gradient(code)
    residuals = precision * (rows - code @ decoder)
    energies = jnp.sum(jnp.square(residuals), axis=1) + jnp.sum(jnp.square(code), axis=1)
    logarithms = 2 * jnp.sum(jnp.log(jnp.abs(jnp.diag(triangle))))
    constant = features * (jnp.log(2 * jnp.pi) + log_variance)
    return -(constant + logarithms + energies) / 2


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
        decoder = jnp.sqrt(variance) * jnp.asarray(loadings)
        params = {"decoder": decoder, "log_variance": jnp.log(variance)}
        return np.asarray(log_densities_by_least_squares(params, jnp.asarray(rows)))


@jax.jit
@jax.value_and_grad
def _value_and_gradient(params: Params, rows: Array) -> Array:
    return -jnp.mean(log_densities_by_least_squares(params, rows))


def likelihood_and_gradient(
    rows: Float64[np.ndarray, "p n"], loadings: Float64[np.ndarray, "k n"], variance: float
) -> tuple[float, float]:
    """−log p in the mean over rows, and the norm of its gradient in W, in units of σ, and log σ².

    Args:
        rows: examples with mean zero.
        loadings: W/σ.
        variance: σ².

    Returns:
        −log p in nats, and the norm.
    """
    with jax.enable_x64(True):
        deviation = float(np.sqrt(variance))
        params = {"decoder": deviation * loadings, "log_variance": np.log(variance)}
        params = jax.tree.map(jnp.asarray, params)
        value, gradient = _value_and_gradient(params, jnp.asarray(rows))
        gradient = gradient | {"decoder": deviation * gradient["decoder"]}
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
