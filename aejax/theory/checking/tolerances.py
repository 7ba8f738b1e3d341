"""Tolerances of the theorems, from machine epsilon, matrix sizes, the spectrum and its gap."""

import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.pca import least_loss
from aejax.theory.checking.certificate import Obstacle, Tolerance
from aejax.theory.checking.problem import (
    DEFLATION,
    EPSILON,
    Problem,
    last_component,
    pca_obstacle,
    rank,
    rounding,
    stored_rounding,
)

CLOSED_FORM_CAP = 1e-8
"""Maximum relative tolerance of closed forms, and of losses."""

TRAINED_CAP = 1e-6
"""Maximum tolerance of maps trained by gradient."""

GRADIENT_TOLERANCE = 1e-12
"""Gradient norm at which training stops, for data whose variances sum to one."""


def loss_scale(problem: Problem) -> float:
    """Scale of relative losses: Σ_{i>k} λ_i, or Σ λ_i if rank ≤ k, where the former is zero."""
    return least_loss(problem.pca, problem.code if rank(problem) > problem.code else 0)


def pass_rounding(problem: Problem) -> float:
    """Rounding error of one forward pass of a model with biases: `rounding` + ε √n ‖x‖_F/√m."""
    features = problem.x.shape[1]
    return rounding(problem) + EPSILON * float(np.sqrt(features)) * problem.moments.magnitude


def loss_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a loss L relative to `loss_scale`: 2 √L ρ + ρ², with ρ = `pass_rounding`.

    ‖e + d‖² − ‖e‖² ≤ 2 ‖e‖ ‖d‖ + ‖d‖² for a reconstruction error e and a rounding error d.
    """
    error, root = pass_rounding(problem), float(np.sqrt(least_loss(problem.pca, problem.code)))
    value = _ratio(2 * root * error + error**2, loss_scale(problem))
    basis = f"rounding {error:.1e} of a row against √loss {root:.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def bound_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a bound from S's eigenvalues: `loss_tolerance` + √(mn) ε Σλ/`loss_scale`.

    Each eigenvalue has an absolute error proportional to λ_1, and the bound sums them.
    """
    total, scale = least_loss(problem.pca, 0), loss_scale(problem)
    value = loss_tolerance(problem).value + EPSILON * _ratio(np.sqrt(problem.x.size) * total, scale)
    basis = f"rounding of the variance Σλ {total:.1e} against the loss {scale:.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of the projector V_k V_kᵀ: 3 ρ/(σ_k − σ_{k+1}), in spectral norm; ρ = `rounding`.

    One ρ for the SVD, one for the alternating least squares that it is compared with, and one for
    their stopping criterion (the last movement of their row space).

    Source: Wedin 1972 (angle of a singular subspace ≤ perturbation/gap).
    """
    kept, lost = _singular_values(problem)
    basis = f"rounding {rounding(problem):.1e} against the gap σ_k − σ_{{k+1}} = {kept - lost:.1e}"
    return Tolerance(_ratio(3 * rounding(problem), kept - lost), CLOSED_FORM_CAP, basis)


def training_excess_bound(problem: Problem) -> float:
    """Maximum excess loss after training: ε L + ρ² + 10 Σλ min(g, g² Σλ/δ), with ρ = `rounding`.

    The loss L in float64 has errors ε L and, near zero, ρ². For Σλ = 1, a final gradient norm g
    leaves an excess of g²/δ in the flattest direction, with δ the smaller of the eigengap (decoder)
    and the smallest variance (encoder); and at most g, as the distance of the parameters from the
    optimum is of order one. The factor 10 allows for the scale of the random initial code.
    """
    eigenvalues = problem.pca.eigenvalues
    total, loss = least_loss(problem.pca, 0), least_loss(problem.pca, problem.code)
    kept, lost = _singular_values(problem)
    flattest = min(kept**2 - lost**2, eigenvalues[rank(problem) - 1])
    gradient = gradient_stop(problem)
    stopped = 10 * gradient * min(1.0, _ratio(gradient * total, flattest))
    return EPSILON * loss + rounding(problem) ** 2 + total * stopped


def trained_loss_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a trained loss: `loss_tolerance` plus the excess loss after training."""
    closed, excess = loss_tolerance(problem), training_excess_bound(problem)
    value = closed.value + _ratio(excess, loss_scale(problem))
    basis = f"{closed.basis}, and excess loss {excess:.1e} against {loss_scale(problem):.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def trained_map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a map W from training: √(3 E/(λ_k − λ_{k+1})), with E the excess loss.

    ‖R (W − V_k V_kᵀ)‖²_F ≤ 3 λ_k E/(λ_k − λ_{k+1}): let P be the projector on W's row space. Then
    ‖R (P − V_k V_kᵀ)‖²_F is at most (λ_k + λ_{k+1})/(λ_k − λ_{k+1}) times the excess loss of P, and
    the excess loss of W is that of P plus ‖R (W − P)‖²_F.
    """
    kept, lost = _singular_values(problem)
    gap, excess = kept**2 - lost**2, training_excess_bound(problem)
    basis = f"excess loss {excess:.1e} against the eigengap λ_k − λ_{{k+1}} = {gap:.1e}"
    return Tolerance(float(np.sqrt(3 * _ratio(excess, gap))), TRAINED_CAP, basis)


def preconditioned_loss_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a loss trained with a preconditioner: `loss_tolerance` plus the excess loss.

    For Σλ = 1 and G = `gradient_error`, a tilt of component i towards j, of curvature σ_i − σ_j,
    has an excess of at most min(G²/(σ_i − σ_j), λ_i − λ_j), summed over i ≤ k < j. An unneeded unit
    whose encoder column and decoder row have norm a adds a⁴ < G^(4/3), as its gradient is 2a³.
    """
    closed, error = loss_tolerance(problem), gradient_error(problem)
    eigenvalues = unit_eigenvalues(problem)
    kept, lost = eigenvalues[: problem.code, None], eigenvalues[problem.code :]
    gaps = np.maximum(np.sqrt(kept) - np.sqrt(lost), error**2)
    tilts = float(np.sum(np.minimum(kept - lost, error**2 / gaps)))
    excess = (tilts + error ** (4 / 3)) * least_loss(problem.pca, 0)
    value = closed.value + _ratio(excess, loss_scale(problem))
    basis = f"{closed.basis}, and excess loss {excess:.1e} against {loss_scale(problem):.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, f"{basis}; the encoder preconditioned")


def preconditioned_map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of R W/σ_k with a preconditioner: 2 G/(√σ_k (σ_k − σ_{k+1})), for Σλ = 1.

    G = `gradient_error` for the pair A = T W_e, W_d, balanced (AᵀA = W_d W_dᵀ) and with smallest
    singular values s, s² = σ_k. Let P and Q be the projectors on the row space of W_d and the
    column space of A. Both gradients bound ‖A W_d − T P‖ and ‖A W_d − Q T‖ by G/(2 s). So P and Q
    are singular subspaces up to e = G/s, with an angle error of e/(σ_k − σ_{k+1}) (Wedin 1972), and
    the error of A W_d is at most 2 e + 2 e σ_{k+1}/(σ_k − σ_{k+1}).
    """
    (kept, lost), error = _unit_singular_values(problem), gradient_error(problem)
    basis = f"gradient {error:.1e} against the gap (σ_k − σ_{{k+1}})/√Σλ = {kept - lost:.1e}"
    value = _ratio(2 * error, np.sqrt(kept) * (kept - lost))
    return Tolerance(value, TRAINED_CAP, f"{basis}; the encoder preconditioned")


def unit_factor(problem: Problem) -> Float64[np.ndarray, "rows features"]:
    """T/√Σλ: the training data scaled to unit total variance."""
    return problem.moments.factor / np.sqrt(least_loss(problem.pca, 0))


def unit_eigenvalues(problem: Problem) -> Float64[np.ndarray, " features"]:
    """λ/Σλ of all n directions, including zeros."""
    eigenvalues = problem.pca.eigenvalues / least_loss(problem.pca, 0)
    return np.pad(eigenvalues, (0, problem.x.shape[1] - len(eigenvalues)))


def gradient_rounding(problem: Problem) -> float:
    """Rounding error of a gradient for Σλ = 1: 8 ε (√N + 50) σ_1/√Σλ.

    The objective has degree four in the kernels, whose norms are about one or less, and degree two
    in the data: T, with N entries. The components are computed from T too, so that the rounding of
    T itself does not matter.
    """
    largest = float(np.sqrt(problem.pca.eigenvalues[0] / least_loss(problem.pca, 0)))
    return 8 * EPSILON * float(np.sqrt(problem.moments.factor.size) + DEFLATION) * largest


def gradient_stop(problem: Problem) -> float:
    """Gradient norm g at which training stops, for Σλ = 1: max(10⁻¹², 8 ε ‖x‖_F/√(m Σλ)).

    The latter is the rounding of x, which is large if x has a large offset. Further training would
    fit this rounding: it separates equal eigenvalues, and converges extremely slowly.
    """
    stored = 8 * stored_rounding(problem) / float(np.sqrt(least_loss(problem.pca, 0)))
    return max(GRADIENT_TOLERANCE, stored)


def gradient_error(problem: Problem) -> float:
    """Maximum norm of the exact gradient after training, for Σλ = 1: g plus rounding."""
    return gradient_stop(problem) + gradient_rounding(problem)


def map_obstacle(problem: Problem) -> Obstacle | None:
    """Obstacle to statements about the optimal map, for any tolerance; None if there is none."""
    if problem.code > rank(problem):
        reason = f"rank {rank(problem)} < code {problem.code}: unused code units leave the map free"
        return pca_obstacle(problem) or Obstacle("not identifiable", reason)
    return pca_obstacle(problem) or _storage_obstacle(problem)


def _storage_obstacle(problem: Problem) -> Obstacle | None:
    """Obstacle if the spectral gap is within the rounding of x to its low-precision dtype."""
    (kept, lost), stored = _singular_values(problem), problem.precision * problem.moments.magnitude
    if problem.precision <= EPSILON or kept - lost > stored:
        return None
    gap = f"the gap σ_k − σ_{{k+1}} = {kept - lost:.1e}"
    reason = f"{gap} is within the rounding {stored:.1e} of x in its stored dtype"
    return Obstacle("not identifiable", reason)


def _singular_values(problem: Problem) -> tuple[float, float]:
    """σ_k and σ_{k+1}, for k at most the rank; zero beyond the last."""
    last = max(last_component(problem), 0)
    kept, lost = np.sqrt(np.pad(problem.pca.eigenvalues, (0, 1))[last : last + 2])
    return float(kept), float(lost)


def _unit_singular_values(problem: Problem) -> tuple[float, float]:
    kept, lost = np.array(_singular_values(problem)) / np.sqrt(least_loss(problem.pca, 0) or 1)
    return float(kept), float(lost)


def _ratio(error: float, scale: float) -> float:
    return float(error / scale) if scale > 0 else float("inf")
