"""Rate and distortion of the optimal linear β-VAE, and its distance from the Gaussian curve."""

import numpy as np
from jaxtyping import Float64

from aejax.theory import Problem
from aejax.theory.analysis.pca import least_loss
from aejax.theory.variational.linear_vae import optimal_linear_vae
from aejax.theory.variational.rate_distortion import evidence_at_level, gaussian_rate

NUM_LEVELS = 400
"""Levels β σ² of a curve."""


def curve_errors(problem: Problem, levels: Float64[np.ndarray, " levels"]) -> list[float]:
    """|R − R(D)| of the linear optimum for a Gaussian with the data's covariance, in nats.

    Rate and distortion are those of `aejax.objective`, the eigenvalues those of NumPy.

    Args:
        problem: data, and number of units, so that no level is below λ_{k+1}.
        levels: β σ².

    Returns:
        One distance for each level.
    """
    eigenvalues = np.linalg.eigvalsh(np.cov(problem.x, rowvar=False, bias=True))[::-1]
    eigenvalues = np.maximum(eigenvalues, 0) / eigenvalues.sum()
    found = [evidence_at_level(problem, level / least_loss(problem.pca, 0)) for level in levels]
    return [abs(each.rate - gaussian_rate(eigenvalues, each.distortion)) for each in found]


def linear_curve(
    problem: Problem, x: Float64[np.ndarray, "examples features"], *, least: float
) -> tuple[Float64[np.ndarray, " levels"], Float64[np.ndarray, " levels"]]:
    """Rate and distortion on rows x of the linear optimum for the problem's data.

    Args:
        problem: data of the optimum, and number of units.
        x: rows on which it is measured.
        least: least level β σ²; the greatest is the total variance.

    Returns:
        Mean divergence in nats, ascending, and E‖x − x̂‖².
    """
    total = least_loss(problem.pca, 0)
    rows, found = (x - problem.moments.mean) / np.sqrt(total), []
    for level in np.geomspace(1, least / total, NUM_LEVELS):
        a, d, w = optimal_linear_vae(problem, level)
        code = rows @ a
        residuals = np.mean(np.sum(np.square(rows - code @ w), axis=1))
        distortion = residuals + d @ np.sum(np.square(w), axis=1)
        rate = np.mean(np.sum(np.square(code), axis=1)) + np.sum(d - 1 - np.log(d))
        found.append((rate / 2, total * distortion))
    rate, distortion = np.array(found).T
    return rate, distortion
