"""Theorem: the optimum of the linear variational autoencoder is exact and has principal axes."""

import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.checking.tolerances import unit_eigenvalues, unit_factor
from aejax.theory.variational.factor_likelihood import likelihood_and_gradient
from aejax.theory.variational.linear_evidence_bound import LinearVAE, evidence
from aejax.theory.variational.probabilistic_pca import (
    likelihood_tolerance,
    noise_variance_of_likelihood,
    rotated,
    unbounded_likelihood,
)

EXACT = Statement(
    claim="at its optimum the linear variational autoencoder's bound is the log-likelihood",
    formula="ELBO(W, A, d) = log p at W = (Λ_k − σ² I)^½ V_kᵀ, A = Wᵀ (W Wᵀ + σ² I)⁻¹, "
    "d_l = σ²/(‖w_l‖² + σ²)",
    source="Lucas et al. 2019",
)
ROTATED = Statement(
    claim="a rotated code is as likely, but has a lower bound: the columns are principal axes",
    formula="log p − max ELBO = ½ [Σ_l log C_ll − log det C], C = W Wᵀ + σ² I",
    source="Lucas et al. 2019; the gap derived here",
)


def linear_vae(problem: Problem) -> tuple[Certificate, ...]:
    """The bound of a linear variational autoencoder is tight at the principal axes, and only there.

    For p(x | z) = N(z W, σ² I), the posterior of z has the mean x A, A = Wᵀ C⁻¹, and the covariance
    σ² C⁻¹, with C = W Wᵀ + σ² I. The best diagonal q(z | x) has this mean and the variances
    d_l = σ²/C_ll, and its divergence from the posterior is ½ [Σ_l log C_ll − log det C] ≥ 0
    (Hadamard), zero if and only if the rows of W are orthogonal. A rotation of the code leaves
    log p unchanged, so the bound, but not the likelihood, determines the axes.

    Verification: −ELBO is `aejax.objective` with `aejax.variational`, `losses.gaussian` and
    `penalties.divergence` of `posteriors.diagonal_gaussian`, exact in the mean over z; log p is
    that of `probabilistic_pca`. The gradient in all parameters must vanish at the optimum, with σ²
    that of the maximum likelihood, in units of the standard deviations of q(z | x) and p(x | z).
    The second statement is evaluated at a random rotation.

    Controls: variances of q(z | x) twice as large; no gap, as if the bound did not change.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the optimum, and the gap of a rotated code.

    Source: Lucas et al. 2019.
    """
    obstacle = unbounded_likelihood(problem)
    if obstacle is not None:
        return refuse((EXACT, ROTATED), obstacle)
    variance = noise_variance_of_likelihood(problem)
    tolerance = likelihood_tolerance(problem, variance)
    return (
        certify(EXACT, tolerance, lambda: _exact_evidence(problem, variance)),
        certify(
            ROTATED,
            tolerance,
            lambda: _rotated_evidence(problem, variance),
            obstacle=_no_rotation(problem),
        ),
    )


def best_posterior(decoder: Float64[np.ndarray, "k n"], noise: float) -> LinearVAE:
    """The linear encoder and the variances that are best for a decoder W.

    Args:
        decoder: W.
        noise: β σ² for weight β.

    Returns:
        A = Wᵀ C⁻¹ and d_l = β σ²/C_ll, with C = W Wᵀ + β σ² I.
    """
    moment = decoder @ decoder.T + noise * np.eye(len(decoder))
    return LinearVAE(np.linalg.solve(moment, decoder).T, noise / np.diag(moment), decoder)


def optimal_linear_vae(problem: Problem, noise: float) -> LinearVAE:
    """The optimum for Σλ = 1: W = (Λ_k − β σ² I)₊^½ V_kᵀ and its best posterior.

    Args:
        problem: data and code size.
        noise: β σ²; units whose eigenvalue is not larger are unused.

    Returns:
        The autoencoder.
    """
    kept = unit_eigenvalues(problem)[: problem.code]
    signal = np.sqrt(np.maximum(kept - noise, 0))
    return best_posterior(signal[:, None] * leading_components(problem.pca, problem.code), noise)


def unit_rows(problem: Problem) -> Float64[np.ndarray, "p n"]:
    """Examples with the data's second moments and with mean zero, for Σλ = 1: ±√p T."""
    return symmetric_batch(unit_factor(problem))


def symmetric_batch(factor: Float64[np.ndarray, "rows n"]) -> Float64[np.ndarray, "p n"]:
    """√p T and −√p T: a batch with second moments S whose mean is zero, as biases require."""
    rows = equivalent_batch(factor)
    return np.concatenate([rows, -rows])


def hadamard_gap(decoder: Float64[np.ndarray, "k n"], noise: float) -> float:
    """½ [Σ_l log C_ll − log det C] for C = W Wᵀ + σ² I: log p less the best bound, in nats."""
    factor = np.concatenate([decoder, np.sqrt(noise) * np.eye(len(decoder))], axis=1)  # of C
    lengths, roots = np.linalg.norm(factor, axis=1), np.linalg.svd(factor, compute_uv=False)
    return float(np.sum(np.log(lengths)) - np.sum(np.log(roots)))


def _no_rotation(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return pca_obstacle(problem)
    return Obstacle("not applicable", "code 1: a single unit has no rotation")


def _negative_log_likelihood(problem: Problem, vae: LinearVAE, variance: float) -> float:
    loadings = vae.decoder / np.sqrt(variance)
    return likelihood_and_gradient(unit_rows(problem), loadings, variance)[0]


def _exact_evidence(problem: Problem, variance: float) -> Evidence:
    vae, rows = optimal_linear_vae(problem, variance), unit_rows(problem)
    likelihood = _negative_log_likelihood(problem, vae, variance)
    found, doubled = (
        evidence(vae._replace(variances=factor * vae.variances), rows, variance=variance)
        for factor in (1, 2)
    )
    residual = max(abs(found.value - likelihood), found.gradient)
    return Evidence(residual, abs(doubled.value - likelihood))


def _rotated_evidence(problem: Problem, variance: float) -> Evidence:
    vae, rows = optimal_linear_vae(problem, variance), unit_rows(problem)
    turned = best_posterior(rotated(problem, vae.decoder), variance)
    likelihoods = [_negative_log_likelihood(problem, each, variance) for each in (vae, turned)]
    value = evidence(turned, rows, variance=variance).value
    lost, gap = value - likelihoods[0], hadamard_gap(turned.decoder, variance)
    change = abs(likelihoods[1] - likelihoods[0])
    return Evidence(max(abs(lost - gap), change), abs(lost))
