"""Theorem: linear β-VAEs attain the Gaussian rate–distortion function."""

import numpy as np
from jaxtyping import Float64

from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, last_component, pca_obstacle
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, unit_eigenvalues
from aejax.theory.variational.linear_evidence_bound import (
    EvidenceTerms,
    evidence,
    unit_rates,
)
from aejax.theory.variational.linear_vae import optimal_linear_vae, unit_rows

WEIGHT = 2.0
"""β of the objective."""

NUM_LEVELS = 6
"""Number of levels β σ² at which the curve is compared."""

CURVE = Statement(
    claim="the linear β-VAE attains the rate–distortion function of a Gaussian with covariance S",
    formula="KL = R(D) = Σ_i ½ log⁺(λ_i/θ) with Σ_i min(λ_i, θ) = D, at θ = β σ² ≥ λ_{k+1}",
    source="Cover & Thomas 2006, §10.3.3; Alemi et al. 2018",
)
AXES = Statement(
    claim="each unit transmits ½ log λ_i/(β σ²) nats, and its samples have the prior's variance",
    formula="KL_i = ½ log⁺(λ_i/(β σ²)), E zᵀz = I, so that KL is the mutual information",
    source="Cover & Thomas 2006, §10.3.3; derived here",
)


def rate_distortion(problem: Problem) -> tuple[Certificate, ...]:
    """At the optimum of J, KL and E‖x − x̂‖² are on the rate–distortion function of N(0, S).

    The optimum of `posterior_collapse` has the distortion min(λ_i, β σ²) and the divergence
    ½ log⁺(λ_i/(β σ²)) along axis i: the reverse water-filling at the level β σ², if all axes with
    larger variance have a unit, β σ² ≥ λ_{k+1}. The second moments of z are
    (λ_i − β σ²)/λ_i + β σ²/λ_i = 1 along used axes: the aggregate posterior has those of the prior,
    and KL is the mutual information of x and z for Gaussian x. No encoder of Gaussian x, linear or
    not, has a lower rate at this distortion.

    Verification: rate and distortion are terms of `aejax.objective`, exact in the mean over z, for
    Σλ = 1, β = 2 and 6 levels from max(λ_{k+1}, λ_r/2) to λ_1, with r = min(k, rank). The curve is
    computed at the measured distortion by water-filling. The rates of units are those of
    `posteriors.diagonal_gaussian`.

    Controls: variances of q(z | x) half as large, which lies above the curve; the level σ².

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the curve, and each axis.

    Source: Cover & Thomas 2006; Alemi et al. 2018.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((CURVE, AXES), obstacle)
    tolerance = _tolerance(problem)
    return (
        certify(CURVE, tolerance, lambda: _curve_evidence(problem)),
        certify(AXES, tolerance, lambda: _axes_evidence(problem)),
    )


def levels(problem: Problem) -> Float64[np.ndarray, " levels"]:
    """β σ² for Σλ = 1, in geometric progression from max(λ_{k+1}, λ_r/2) to λ_1."""
    values = unit_eigenvalues(problem)
    least = max(values[problem.code], values[last_component(problem)] / 2)
    return np.geomspace(least, values[0], NUM_LEVELS)


def gaussian_rate(eigenvalues: Float64[np.ndarray, " n"], distortion: float) -> float:
    """R(D) of a Gaussian with a covariance of these eigenvalues, by reverse water-filling.

    Args:
        eigenvalues: λ in descending order.
        distortion: D > 0, squared error summed over features.

    Returns:
        The rate in nats; zero for D ≥ Σλ.

    Source: Cover & Thomas 2006, theorem 10.3.3.
    """
    if distortion >= eigenvalues.sum():
        return 0.0
    positive = eigenvalues[eigenvalues > 0]
    counts = np.arange(1, len(positive) + 1)
    below = positive.sum() - np.cumsum(positive)  # variance of the axes beyond the first ones
    candidates = (distortion - below) / counts
    # The first count whose level exceeds the variance of the next axis.
    place = int(np.argmax(candidates >= np.append(positive[1:], 0)))
    level = candidates[place]
    return 0.5 * float(np.sum(np.log(np.maximum(positive, level) / level)))


def evidence_at_level(problem: Problem, level: float, *, shrinkage: float = 1.0) -> EvidenceTerms:
    """Rate and distortion of the optimum at β σ² = level.

    Args:
        problem: data and code size.
        level: β σ² for Σλ = 1.
        shrinkage: factor of the variances of q(z | x) (default: 1, the optimum).

    Returns:
        The terms of the objective.
    """
    vae = optimal_linear_vae(problem, level)
    vae = vae._replace(variances=shrinkage * vae.variances)
    return evidence(vae, unit_rows(problem), variance=level / WEIGHT, weight=WEIGHT)


def _tolerance(problem: Problem) -> Tolerance:
    """Rounding of D over its level, 4 (√(mn + n²) + 50) ε (√n + 1/θ) for the least level θ."""
    least, features = float(levels(problem)[0]), problem.x.shape[1]
    size = float(np.sqrt(problem.x.size + features**2)) + DEFLATION
    basis = f"rounding of Σλ against the least level β σ² = {least:.1e}, for Σλ = 1"
    value = 4 * EPSILON * size * (np.sqrt(features) + 1 / least)
    return Tolerance(float(value), CLOSED_FORM_CAP, basis)


def _curve_evidence(problem: Problem) -> Evidence:
    values = unit_eigenvalues(problem)
    residuals, controls = [], []
    for level in levels(problem):
        found, noisy = (
            evidence_at_level(problem, level, shrinkage=factor) for factor in (1.0, 0.5)
        )
        exact = float(np.minimum(values, level).sum())
        residuals += [
            abs(found.rate - gaussian_rate(values, found.distortion)),
            abs(found.distortion - exact) / level,
        ]
        controls.append(noisy.rate - gaussian_rate(values, noisy.distortion))
    return Evidence(max(residuals), min(controls))


def _axes_evidence(problem: Problem) -> Evidence:
    kept = unit_eigenvalues(problem)[: problem.code]
    residuals, controls = [], []
    for level in levels(problem):
        rates, moments = unit_rates(optimal_linear_vae(problem, level), unit_rows(problem))
        expected, control = (
            0.5 * np.log(np.maximum(kept, each) / each) for each in (level, level / WEIGHT)
        )
        residuals += [np.abs(rates - expected).max(), np.abs(moments - np.eye(len(kept))).max()]
        controls.append(np.abs(rates - control).max())
    return Evidence(float(max(residuals)), float(min(controls)))
