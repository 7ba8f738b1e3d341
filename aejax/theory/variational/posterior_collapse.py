"""Theorem: a linear variational autoencoder uses an axis if its variance exceeds β σ²."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
    rescaled_residual,
)
from aejax.theory.checking.problem import Problem, last_component, pca_obstacle, rank
from aejax.theory.checking.tolerances import unit_eigenvalues
from aejax.theory.noise.expectations import enumerable_problem
from aejax.theory.variational.linear_evidence_bound import (
    LinearVAE,
    evidence,
    expected_evidence_loss,
)
from aejax.theory.variational.linear_vae import (
    best_posterior,
    optimal_linear_vae,
    unit_rows,
)
from aejax.theory.variational.probabilistic_pca import likelihood_tolerance
from aejax.types import Array

WEIGHT = 2.0
"""β of the objective."""

ALTERNATIONS = 500
"""Steps of alternating minimisation, which must not go below a claimed minimum."""

COLLAPSE = Statement(
    claim="an axis is used exactly if its variance exceeds β σ², with this objective",
    formula="‖w_j‖² = max(0, λ_j − β σ²), d_j = min(1, β σ²/λ_j); "
    "min J = n/2 log 2πσ² + D/(2σ²) + β R, D = Σ_{j≤k} min(λ_j, βσ²) + Σ_{j>k} λ_j, "
    "R = Σ_{j≤k} ½ log⁺(λ_j/βσ²)",
    source="Lucas et al. 2019; Dai et al. 2018",
)
UNSTABLE = Statement(
    claim="a collapsed unit is unstable along axis j exactly if λ_j > β σ²",
    formula="det H_j/(H_ww H_aa) = 1 − λ_j/(β σ²) for the Hessian H_j of J in w = w v_j, a = a v_j",
    source="Lucas et al. 2019; derived here",
)


def posterior_collapse(problem: Problem) -> tuple[Certificate, ...]:
    """With σ² fixed, axis j is used if and only if λ_j > β σ²; at equality it is not.

    J/β is the objective of β = 1 with the noise variance β σ², up to a constant. With the best
    q(z | x) for each W (`linear_vae`), it is −log p plus Hadamard's gap. −log p is minimal for the
    eigenvalues max(λ_j, β σ²), j ≤ k, of the covariance, where the gap is zero. A unit that is
    switched off, w = 0, a = 0, d = 1, has the curvatures H_ww = 1/σ², H_aa = β λ_j and
    H_wa = −λ_j/σ² along axis j: negative in one direction if and only if λ_j > β σ².

    Verification: `aejax.objective` for Σλ = 1 and β = 2, exact in the mean over z. β σ² equals an
    eigenvalue in the middle of the kept ones, so that its own axis is the case of equality.
    Alternating minimisation over (A, d) and W from a random start must not reach a lower value; if
    n > 8, it uses the 8 features of largest variance. H is `jax.hessian` along every axis up to
    k + 1; the errors of its determinant are relative to max(1, λ_j/(β σ²)).

    Controls: the threshold σ² in place of β σ², in both statements.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the optimum, and the stability of a unit that is switched off.

    Source: Lucas et al. 2019; Dai et al. 2018.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((COLLAPSE, UNSTABLE), obstacle)
    tolerance = _tolerance(problem)
    return (
        certify(COLLAPSE, tolerance, lambda: _collapse_evidence(problem)),
        certify(UNSTABLE, tolerance, lambda: _stability_evidence(problem)),
    )


def threshold(problem: Problem) -> float:
    """β σ² = λ_j for Σλ = 1, with j = ⌊r/2⌋ + 1 and r = min(k, rank)."""
    middle = (last_component(problem) + 1) // 2
    return float(unit_eigenvalues(problem)[middle])


def used_variance(problem: Problem, noise: float) -> tuple[float, float]:
    """Distortion D and rate R of the optimum with the threshold β σ², for Σλ = 1.

    Args:
        problem: data and code size.
        noise: β σ².

    Returns:
        D = Σ_{j≤k} min(λ_j, β σ²) + Σ_{j>k} λ_j, and R = Σ_{j≤k} ½ log⁺(λ_j/(β σ²)) in nats.
    """
    values = unit_eigenvalues(problem)
    kept, lost = values[: problem.code], values[problem.code :]
    rate = 0.5 * np.sum(np.log(np.maximum(kept, noise) / noise))
    return float(np.minimum(kept, noise).sum() + lost.sum()), float(rate)


def least_objective(problem: Problem, noise: float) -> float:
    """n/2 log 2πσ² + D/(2σ²) + β R for β = 2, in nats."""
    variance, features = noise / WEIGHT, problem.x.shape[1]
    distortion, rate = used_variance(problem, noise)
    constant = features * float(np.log(2 * np.pi * variance))
    return 0.5 * (constant + distortion / variance) + WEIGHT * rate


def alternating_minimisation(
    covariance: Float64[np.ndarray, "n n"],
    decoder: Float64[np.ndarray, "k n"],
    noise: float,
    *,
    steps: int = ALTERNATIONS,
) -> LinearVAE:
    """Minimise J over (A, d) at fixed W, and over W at fixed (A, d), in turn.

    Args:
        covariance: S.
        decoder: W at the start.
        noise: β σ².
        steps: number of steps (default: 500), none of which increases J.

    Returns:
        The autoencoder after the last minimisation over (A, d).
    """
    for _ in range(steps):
        vae = best_posterior(decoder, noise)
        moment = vae.encoder.T @ covariance @ vae.encoder + np.diag(vae.variances)
        decoder = np.linalg.solve(moment, vae.encoder.T @ covariance)
    return best_posterior(decoder, noise)


def _tolerance(problem: Problem) -> Tolerance:
    return likelihood_tolerance(problem, threshold(problem) / WEIGHT)


def _collapse_evidence(problem: Problem) -> Evidence:
    noise, rows = threshold(problem), unit_rows(problem)
    variance, least = noise / WEIGHT, least_objective(problem, noise)
    found, control = (
        evidence(optimal_linear_vae(problem, each), rows, variance=variance, weight=WEIGHT)
        for each in (noise, variance)
    )
    part = enumerable_problem(problem)
    below = rescaled_residual(_amount_below(part), _tolerance(part), _tolerance(problem))
    residual = max(abs(found.value - least), found.gradient, below)
    return Evidence(residual, max(abs(control.value - least), control.gradient))


def _amount_below(problem: Problem) -> float:
    """Amount by which J after alternating minimisation is below its formula, in nats."""
    noise, rows = threshold(problem), unit_rows(problem)
    with jax.enable_x64(True):
        start = np.asarray(jax.random.normal(problem.key, (problem.code, rows.shape[1])))
    scaled = np.sqrt(noise) * start
    vae = alternating_minimisation(rows.T @ rows / len(rows), scaled, noise)
    found = evidence(vae, rows, variance=noise / WEIGHT, weight=WEIGHT)
    return max(0.0, least_objective(problem, noise) - found.value)


def instabilities(problem: Problem, noise: float) -> Float64[np.ndarray, " axes"]:
    """det H_j/(H_ww H_aa) of a unit that is switched off, for the axes j ≤ k + 1 with variance.

    Args:
        problem: data and code size.
        noise: β σ².

    Returns:
        One value for each axis, negative where the unit is unstable.
    """
    axes = leading_components(problem.pca, min(problem.code + 1, rank(problem)))
    with jax.enable_x64(True):
        data = jnp.asarray(unit_rows(problem)), jnp.asarray(noise / WEIGHT), jnp.asarray(WEIGHT)
        hessians = np.asarray(_hessians(jnp.asarray(axes), data))
    diagonal = hessians[:, 0, 0] * hessians[:, 1, 1]
    return 1 - hessians[:, 0, 1] * hessians[:, 1, 0] / diagonal


@jax.jit
def _hessians(axes: Array, data: tuple[Array, Array, Array]) -> Array:
    def along(axis: Array) -> Array:
        def objective(lengths: Array) -> Array:
            encoder, decoder = lengths
            kernels = jnp.stack([encoder * axis, 0 * axis], axis=1), decoder * axis[None]
            biases = jnp.zeros(2, axis.dtype), jnp.zeros_like(axis)  # log d = 0
            first, last = ({"kernel": k, "bias": b} for k, b in zip(kernels, biases, strict=True))
            params = {"encoder": {"layer_0": first}, "decoder": {"layer_0": last}}
            return expected_evidence_loss(params, data)

        return jax.hessian(objective)(jnp.zeros(2, axis.dtype))

    return jax.lax.map(along, axes)


def _stability_evidence(problem: Problem) -> Evidence:
    noise = threshold(problem)
    found = instabilities(problem, noise)
    values = unit_eigenvalues(problem)[: len(found)]
    sizes = np.maximum(1, values / noise)
    residual = np.abs((found - (1 - values / noise)) / sizes).max()
    control = np.abs((found - (1 - WEIGHT * values / noise)) / sizes).max()
    return Evidence(float(residual), float(control))
