"""Theorem: linear Wasserstein autoencoders attain a Wasserstein distance, and the best is PCA."""

import jax
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.pca import leading_components, least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, pca_obstacle, rank
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, unit_eigenvalues, unit_factor
from aejax.theory.noise.expectations import Kernels
from aejax.theory.noise.gaussian import Regression, expected_loss
from aejax.theory.variational.probabilistic_pca import rotated

DISTANCE = Statement(
    claim="the best encoder with the prior's moments transports the data to what is generated",
    formula="min {E‖x − x A W‖²: AᵀSA = I} = tr S + tr WᵀW − 2 tr (W S Wᵀ)^½, "
    "the squared Wasserstein distance of N(0, S) and N(0, WᵀW), at A = Wᵀ (W S Wᵀ)^−½",
    source="Tolstikhin et al. 2018; Olkin & Pukelsheim 1982",
)
BEST = Statement(
    claim="the best linear Wasserstein autoencoder is whitened PCA, up to a rotation of the code",
    formula="min = Σ_{i>k} λ_i at W = Rᵀ Λ_k^½ V_kᵀ, A = V_k Λ_k^−½ R",
    source="Tolstikhin et al. 2018; derived here",
)


def wasserstein_autoencoder(problem: Problem) -> tuple[Certificate, ...]:
    """Linear, deterministic autoencoders whose code has the second moments of the prior, E zᵀz = I.

    The loss is tr S + tr WᵀW − 2 tr W S A under the constraint AᵀSA = I. With T Wᵀ = U Σ Vᵀ,
    tr W S A = tr (V Σ Uᵀ T A) ≤ tr Σ, with equality at T A = U Vᵀ, and Σ² has the eigenvalues of
    W S Wᵀ. This is the squared 2-Wasserstein distance between normal distributions with covariances
    S and WᵀW, so no other coupling of Gaussian x with the generated x̂ is better. Over W it is at
    least the loss of the best linear autoencoder, Σ_{i>k} λ_i, which PCA attains with its code
    whitened: the constraint costs nothing, and leaves a rotation of the code.

    Verification: the loss through the model's encode and decode for Σλ = 1; at a random decoder,
    and at PCA's with a random rotation.

    Controls: the encoder of the random decoder with its code reflected; PCA's decoder with rows of
    norm two and the best encoder for it.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: any decoder, and the best one.

    Source: Tolstikhin et al. 2018; Olkin & Pukelsheim 1982.
    """
    obstacle = _obstacle(problem)
    if obstacle is not None:
        return refuse((DISTANCE, BEST), obstacle)
    drawn, best = random_decoder(problem), _whitened_decoder(problem)
    return (
        certify(DISTANCE, _tolerance(problem, drawn), lambda: _distance_evidence(problem, drawn)),
        certify(BEST, _tolerance(problem, best), lambda: _best_evidence(problem, best)),
    )


def random_decoder(problem: Problem) -> Float64[np.ndarray, "k n"]:
    """W with independent normal entries of variance 1/(k n)."""
    with jax.enable_x64(True):
        shape = (problem.code, problem.x.shape[1])
        drawn = np.asarray(jax.random.normal(problem.key, shape))
    return drawn / np.sqrt(drawn.size)


def transport_kernels(
    factor: Float64[np.ndarray, "rows n"], decoder: Float64[np.ndarray, "k n"]
) -> Kernels:
    """A = Wᵀ (W S Wᵀ)^−½ and W: the best encoder with AᵀSA = I.

    Args:
        factor: T with TᵀT = S.
        decoder: W, so that W S Wᵀ is regular.

    Returns:
        Both kernels.
    """
    values, vectors = _spectrum(factor, decoder)
    return Kernels(decoder.T @ (vectors / np.sqrt(values)) @ vectors.T, decoder)


def wasserstein_distance(
    factor: Float64[np.ndarray, "rows n"], decoder: Float64[np.ndarray, "k n"]
) -> float:
    """tr S + tr WᵀW − 2 tr (W S Wᵀ)^½, squared, between N(0, S) and N(0, WᵀW).

    Args:
        factor: T with TᵀT = S.
        decoder: W.

    Returns:
        The squared distance.

    Source: Olkin & Pukelsheim 1982.
    """
    values, _ = _spectrum(factor, decoder)
    energies = np.sum(np.square(factor)) + np.sum(np.square(decoder))
    return float(energies - 2 * np.sum(np.sqrt(np.maximum(values, 0))))


def _spectrum(
    factor: Float64[np.ndarray, "rows n"], decoder: Float64[np.ndarray, "k n"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"]]:
    """Eigenvalues and eigenvectors of W S Wᵀ, by the singular values of W Tᵀ."""
    vectors, roots, _ = np.linalg.svd(decoder @ factor.T, full_matrices=False)
    return np.square(roots), vectors


def _obstacle(problem: Problem) -> Obstacle | None:
    if problem.code <= rank(problem):
        return pca_obstacle(problem)
    reason = f"rank {rank(problem)} < code {problem.code}: no linear code has the covariance I"
    return pca_obstacle(problem) or Obstacle("not applicable", reason)


def _whitened_decoder(problem: Problem) -> Float64[np.ndarray, "k n"]:
    kept = unit_eigenvalues(problem)[: problem.code]
    return rotated(problem, np.sqrt(kept)[:, None] * leading_components(problem.pca, problem.code))


def _tolerance(problem: Problem, decoder: Float64[np.ndarray, "k n"]) -> Tolerance:
    """Rounding of an encoder of size 1/s: 8 (√(mn + n²) + 50) ε (1 + ‖W‖_F/s).

    s² is the least eigenvalue of W S Wᵀ.
    """
    least = float(np.sqrt(_spectrum(unit_factor(problem), decoder)[0].min()))
    size = float(np.sqrt(problem.x.size + problem.x.shape[1] ** 2)) + DEFLATION
    ratio = np.linalg.norm(decoder) / least if least > 0 else np.inf
    basis = f"rounding of an encoder that scales by up to 1/{least:.1e}, for Σλ = 1"
    return Tolerance(float(8 * EPSILON * size * (1 + ratio)), CLOSED_FORM_CAP, basis)


def _loss(factor: Float64[np.ndarray, "rows n"], kernels: Kernels) -> float:
    """E‖x − x A W‖² through the model, plus the departure of AᵀSA from I."""
    loss, _ = expected_loss(Regression(factor, factor), kernels)
    code = factor @ kernels.encoder
    return loss + float(np.abs(code.T @ code - np.eye(code.shape[1])).max())


def _distance_evidence(problem: Problem, decoder: Float64[np.ndarray, "k n"]) -> Evidence:
    factor = unit_factor(problem)
    expected, kernels = wasserstein_distance(factor, decoder), transport_kernels(factor, decoder)
    reflected = kernels._replace(encoder=-kernels.encoder)
    residual, control = (abs(_loss(factor, each) - expected) for each in (kernels, reflected))
    return Evidence(residual, control)


def _best_evidence(problem: Problem, decoder: Float64[np.ndarray, "k n"]) -> Evidence:
    factor = unit_factor(problem)
    least = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    orthogonal = 2 * leading_components(problem.pca, problem.code)
    losses = [_loss(factor, transport_kernels(factor, each)) for each in (decoder, orthogonal)]
    distance = abs(wasserstein_distance(factor, decoder) - least)
    return Evidence(max(abs(losses[0] - least), distance), abs(losses[1] - least))
