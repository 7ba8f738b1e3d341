"""What rounding explains: tolerances from machine epsilon, sizes, the spectrum and its gap."""

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
"""Greatest relative tolerance of a closed form, and of any loss."""

TRAINED_CAP = 1e-6
"""Greatest tolerance of a map that was trained by gradient."""

GRADIENT_TOLERANCE = 1e-12
"""Gradient norm at which training stops, for data whose variances sum to one."""


def loss_scale(problem: Problem) -> float:
    """What a loss is relative to: Σ_{i>k} λ_i; where rank ≤ k, and that is zero, Σ λ_i."""
    return least_loss(problem.pca, problem.code if rank(problem) > problem.code else 0)


def pass_rounding(problem: Problem) -> float:
    """Rounding error of a row that went through a model with biases: ρ + ε √n ‖x‖_F/√m."""
    features = problem.x.shape[1]
    return rounding(problem) + EPSILON * float(np.sqrt(features)) * problem.moments.magnitude


def loss_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a loss L, relative to its scale: (2 √L ρ + ρ²)/scale, ρ a pass's rounding.

    For ‖e + d‖² − ‖e‖² ≤ 2 ‖e‖ ‖d‖ + ‖d‖², with e the error of reconstruction, d of rounding.
    """
    error, root = pass_rounding(problem), float(np.sqrt(least_loss(problem.pca, problem.code)))
    value = _ratio(2 * root * error + error**2, loss_scale(problem))
    basis = f"rounding {error:.1e} of a row against √loss {root:.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def bound_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a bound that is made of S's eigenvalues: √(mn) ε Σλ/scale.

    Each eigenvalue carries an absolute error in proportion to λ_1, and the bound sums them.
    """
    total, scale = least_loss(problem.pca, 0), loss_scale(problem)
    value = loss_tolerance(problem).value + EPSILON * _ratio(np.sqrt(problem.x.size) * total, scale)
    basis = f"rounding of the variance Σλ {total:.1e} against the loss {scale:.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of the projector V_k V_kᵀ: 3 ρ/(σ_k − σ_{k+1}), in spectral norm.

    One ρ for the SVD, one for the least squares that it is compared with, and one for where those
    stop: what their row space still moves, summed over the steps that they leave out.

    Source: Wedin 1972 (a singular subspace moves by the perturbation over its gap).
    """
    kept, left = _singular_values(problem)
    basis = f"rounding {rounding(problem):.1e} against the gap σ_k − σ_{{k+1}} = {kept - left:.1e}"
    return Tolerance(_ratio(3 * rounding(problem), kept - left), CLOSED_FORM_CAP, basis)


def training_excess_bound(problem: Problem) -> float:
    """Excess loss at which training may end: ε L + ρ² + 10 Σλ min(g, g² Σλ/δ).

    The loss L in float64 is blind to ε L, and one near zero to ρ². A gradient that stops at g, for
    data whose variances sum to one, leaves g²/δ in the flattest direction: δ is the least of the
    eigengap, for the decoder, and of the least variance in the data, for the encoder. As the
    parameters lie within order one of the optimum, it leaves no more than g. Ten is for the code
    of a random start, whose scales are of order one but not one.
    """
    eigenvalues = problem.pca.eigenvalues
    total, loss = least_loss(problem.pca, 0), least_loss(problem.pca, problem.code)
    kept, left = _singular_values(problem)
    flattest = min(kept**2 - left**2, eigenvalues[rank(problem) - 1])
    gradient = gradient_stop(problem)
    stopped = 10 * gradient * min(1.0, _ratio(gradient * total, flattest))
    return EPSILON * loss + rounding(problem) ** 2 + total * stopped


def trained_loss_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a trained loss: that of a closed form, and the excess that training leaves."""
    closed, excess = loss_tolerance(problem), training_excess_bound(problem)
    value = closed.value + _ratio(excess, loss_scale(problem))
    basis = f"{closed.basis}, and excess loss {excess:.1e} against {loss_scale(problem):.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def trained_map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of a map W that was found by lowering the loss: √(3 E/(λ_k − λ_{k+1})).

    Excess loss E bounds the map: ‖R (W − V_k V_kᵀ)‖²_F ≤ 3 λ_k E/(λ_k − λ_{k+1}). For with P the
    projector on W's row space, ‖R (P − V_k V_kᵀ)‖²_F is at most (λ_k + λ_{k+1})/(λ_k − λ_{k+1})
    times the excess of P; and ‖R (W − P)‖²_F adds to the excess in full.
    """
    kept, left = _singular_values(problem)
    gap, excess = kept**2 - left**2, training_excess_bound(problem)
    basis = f"excess loss {excess:.1e} against the eigengap λ_k − λ_{{k+1}} = {gap:.1e}"
    return Tolerance(float(np.sqrt(3 * _ratio(excess, gap))), TRAINED_CAP, basis)


def preconditioned_loss_tolerance(problem: Problem) -> Tolerance:
    """That of a closed form, and the excess that a balanced pair leaves at its end.

    For Σλ = 1 a gradient G leaves the tilt of component i towards j with an excess of
    G²/(σ_i − σ_j), whose curvature is σ_i − σ_j, or with λ_i − λ_j, the most that a tilt can cost:
    the lesser of the two, summed over i ≤ k < j. A unit that the data does not need, of sides a,
    adds a⁴ at a gradient of 2a³, which is less than G^(4/3).
    """
    closed, error = loss_tolerance(problem), gradient_error(problem)
    eigenvalues = unit_eigenvalues(problem)
    kept, left = eigenvalues[: problem.code, None], eigenvalues[problem.code :]
    gaps = np.maximum(np.sqrt(kept) - np.sqrt(left), error**2)
    tilts = float(np.sum(np.minimum(kept - left, error**2 / gaps)))
    excess = (tilts + error ** (4 / 3)) * least_loss(problem.pca, 0)
    value = closed.value + _ratio(excess, loss_scale(problem))
    basis = f"{closed.basis}, and excess loss {excess:.1e} against {loss_scale(problem):.1e}"
    return Tolerance(value, CLOSED_FORM_CAP, f"{basis}; the encoder preconditioned")


def preconditioned_map_tolerance(problem: Problem) -> Tolerance:
    """Tolerance of R W/σ_k from a balanced pair of gradient G: 2 G/(√σ_k (σ_k − σ_{k+1})), Σλ = 1.

    With P and Q the projectors on the row space of W_d and the columns of A = T W_e, the two
    gradients leave A W_d within G/(2 s) of T P and of Q T, s² = σ_k the least value of A and of
    W_d. So P and Q are singular subspaces up to e = G/s, wrong by the angle e/(σ_k − σ_{k+1})
    (Wedin 1972), and A W_d is wrong by 2 e + 2 e σ_{k+1}/(σ_k − σ_{k+1}) at most.
    """
    (kept, left), error = _unit_singular_values(problem), gradient_error(problem)
    basis = f"gradient {error:.1e} against the gap (σ_k − σ_{{k+1}})/√Σλ = {kept - left:.1e}"
    value = _ratio(2 * error, np.sqrt(kept) * (kept - left))
    return Tolerance(value, TRAINED_CAP, f"{basis}; the encoder preconditioned")


def unit_factor(problem: Problem) -> Float64[np.ndarray, "rows features"]:
    """T, divided by √Σλ: the data on which trainings are alike, since its variances sum to one."""
    return problem.moments.factor / np.sqrt(least_loss(problem.pca, 0))


def unit_eigenvalues(problem: Problem) -> Float64[np.ndarray, " features"]:
    """λ/Σλ of all n directions, zeros included."""
    eigenvalues = problem.pca.eigenvalues / least_loss(problem.pca, 0)
    return np.pad(eigenvalues, (0, problem.x.shape[1] - len(eigenvalues)))


def gradient_rounding(problem: Problem) -> float:
    """8 ε (√N + 50) σ_1/√Σλ, what rounding does to a gradient, for unit data.

    The objective is of degree four in the kernels, whose norms are at most about one, and of degree
    two in the data. That is T, of N entries, of which the components are too: how far T is from x
    has no part in the comparison.
    """
    largest = float(np.sqrt(problem.pca.eigenvalues[0] / least_loss(problem.pca, 0)))
    return 8 * EPSILON * float(np.sqrt(problem.moments.factor.size) + DEFLATION) * largest


def gradient_stop(problem: Problem) -> float:
    """g, the norm at which a training's gradient has vanished: 10⁻¹², or 8 ε ‖x‖_F/√(m Σλ).

    The latter is what an offset costs x as it is stored. To train further is to fit what rounding
    has made of the data: two equal eigenvalues that it sets apart, which takes for ever.
    """
    stored = 8 * stored_rounding(problem) / float(np.sqrt(least_loss(problem.pca, 0)))
    return max(GRADIENT_TOLERANCE, stored)


def gradient_error(problem: Problem) -> float:
    """Norm of the exact gradient where training has ended, for unit data: g and its rounding."""
    return gradient_stop(problem) + gradient_rounding(problem)


def map_obstacle(problem: Problem) -> Obstacle | None:
    """Why no statement about the optimal map can be answered, whatever the tolerance."""
    if problem.code > rank(problem):
        reason = f"rank {rank(problem)} < code {problem.code}: unused code units leave the map free"
        return pca_obstacle(problem) or Obstacle("not identifiable", reason)
    return pca_obstacle(problem) or _coarsely_stored(problem)


def _coarsely_stored(problem: Problem) -> Obstacle | None:
    """A gap that the rounding of x to a type of low precision may have made, or have closed."""
    (kept, left), stored = _singular_values(problem), problem.precision * problem.moments.magnitude
    if problem.precision <= EPSILON or kept - left > stored:
        return None
    reason = f"the gap σ_k − σ_{{k+1}} = {kept - left:.1e} is within the rounding {stored:.1e} of x"
    return Obstacle("not identifiable", f"{reason} as it was stored")


def _singular_values(problem: Problem) -> tuple[float, float]:
    """σ_k and σ_{k+1}, where k is no more than the rank; zero beyond the last."""
    last = max(last_component(problem), 0)
    kept, left = np.sqrt(np.pad(problem.pca.eigenvalues, (0, 1))[last : last + 2])
    return float(kept), float(left)


def _unit_singular_values(problem: Problem) -> tuple[float, float]:
    kept, left = np.array(_singular_values(problem)) / np.sqrt(least_loss(problem.pca, 0) or 1)
    return float(kept), float(left)


def _ratio(error: float, scale: float) -> float:
    return float(error / scale) if scale > 0 else float("inf")
