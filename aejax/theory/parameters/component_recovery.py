"""Theorem on ordered recovery: unequal L2, nested dropout and rotation align unit i with v_i."""

import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
    rescaled_residual,
)
from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import (
    TRAINED_CAP,
    gradient_error,
    gradient_rounding,
    gradient_stop,
    map_obstacle,
    unit_eigenvalues,
)
from aejax.theory.parameters.components import component_sines
from aejax.theory.parameters.curvature import decayed_curvature, nested_curvature, ordered_gains
from aejax.theory.parameters.symmetry_breaking import (
    increasing_decays,
    objective_error,
    train_decayed,
    train_nested,
    train_rotated,
    uniform_survival,
)
from aejax.theory.parameters.tied import train_tied
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import Solution
from aejax.theory.solvers.penalised import kernels

MAX_WORK = 3e9
"""Maximum work of training with rotation: expected steps × rows × features × code units."""

MIN_STEP_WORK = 1e4
"""Minimum work per step: the overhead of a step on small data."""

UNEQUAL = Statement(
    claim="L2 regularisation that differs by code unit makes unit i the i-th principal component",
    formula="W_e = W_dᵀ = V_k diag(±√(1 − μ_i/λ_i)), at μ_i = λ_k i/(k + 1)",
    source="Bao et al. 2020",
)
BEYOND = Statement(
    claim="a code unit whose μ exceeds its component's variance vanishes, the others stay ordered",
    formula="W_e = W_dᵀ = V_k diag(±√max(0, 1 − μ_i/λ_i)), at μ_k = 2 λ_k",
    source="Bao et al. 2020 for μ_k < λ_k; beyond it derived here",
)
NESTED = Statement(
    claim="nested dropout makes decoder row i the direction of the i-th principal component",
    formula="W_d = diag(c) V_kᵀ, at p_b = 1/k",
    source="Rippel, Gelbart & Adams 2014; Oftadeh et al. 2020",
)
ROTATED = Statement(
    claim="the rotation-augmented gradient makes tied kernels the principal components, in order",
    formula="W_e = W_dᵀ = V_k diag(±1)",
    source="Bao et al. 2020",
)


def ordered_recovery(problem: Problem) -> tuple[Certificate, ...]:
    """Unit i is principal component i, up to sign: by unequal L2, nested dropout, or rotation.

    Unequal L2: as for equal μ (`sum_regularisation`), but with D = diag(μ), the Sylvester equation
    M Δ + Δ D = 0 for Δ = W_e − W_dᵀ gives W_e = W_dᵀ = K at every critical point, and M K = K D
    with the symmetric M = S (I − K Kᵀ). If the μ_i are distinct, the columns of K are orthogonal
    eigenvectors of M, hence of S, of squared length 1 − μ_i/λ: aligned at saddles too, for every λ.
    A unit with eigenvalue λ reduces J by (λ − μ)²₊/λ, whose mixed derivative in λ and μ is ≤ 0: the
    smallest μ pairs with the largest λ. The bound μ_k < λ_k of the literature keeps all k units
    nonzero; units with μ_i ≥ λ_i vanish.

    Nested dropout: V_k attains the Eckart–Young bound of every truncation at once, so the minimum
    is Σ_b p_b Σ_{i>b} λ_i. If p_b > 0 and λ_1 > … > λ_k > λ_{k+1}, column b of W_e times row b of
    W_d is v_b v_bᵀ on R: only their lengths are free, which Rippel's orthonormal decoder fixes.

    Rotation: gradient and rotation are orthogonal (L is constant along rotations of the code), so
    both vanish if their sum does: W_e spans eigenvectors and the code's covariance is diagonal.
    Tied kernels are orthonormal there, so W_e is V_k up to order and sign, and the order of
    `rotation` is the only stable one. Untied kernels need W_eᵀ W_e = W_d W_dᵀ as well: otherwise a
    whitened code is stationary under any rotation.

    Verification: each method is trained from a random start. The closed form of J is compared with
    the mean of `aejax.objective` over truncations at random kernels. Residuals: the spectral norm
    of the kernels minus the formula; for nested dropout the maximum sine of a row's angle.

    Controls, which do not align: equal μ; the formula with |1 − μ/λ| beyond the bound; a plain
    autoencoder; tied training without rotation.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Four certificates: L2 within and beyond the bound, nested dropout, rotation.

    Source: Bao et al. 2020; Rippel, Gelbart & Adams 2014; Oftadeh et al. 2020.
    """
    if obstacle := map_obstacle(problem) or _single_unit(problem):
        return refuse((UNEQUAL, BEYOND, NESTED, ROTATED), obstacle)
    within, beyond = unequal_decays(problem), unequal_decays(problem, beyond=True)
    return (
        certify(
            UNEQUAL,
            _decayed_tolerance(problem, within),
            lambda: _with_error(problem, _unequal_evidence(problem, within), decays=within),
        ),
        certify(
            BEYOND,
            _decayed_tolerance(problem, beyond),
            lambda: _with_error(problem, _vanishing_evidence(problem, beyond), decays=beyond),
        ),
        certify(
            NESTED,
            _nested_tolerance(problem),
            lambda: _with_error(problem, _nested_evidence(problem)),
        ),
        certify(ROTATED, _rotated_tolerance(problem), lambda: _rotated_evidence(problem)),
    )


def unequal_decays(problem: Problem, *, beyond: bool = False) -> Float64[np.ndarray, " code"]:
    """μ_i = λ_k i/(k + 1), all below λ_k; if `beyond`, μ_k = 2 λ_k instead."""
    least = float(problem.pca.eigenvalues[problem.code - 1])
    decays = increasing_decays(least, problem.code)
    if beyond:
        decays[-1] = 2 * least
    return decays


def rotated_steps(problem: Problem) -> float:
    """Expected number of steps of training with rotation: ln(1/`gradient_stop`)/slowest rate.

    With steps of 1/(8 λ_1) and a rotation of weight 8, angles between neighbouring units decay at
    the rate (λ_i − λ_{i+1})/(2 λ_1), and the tilt of the last unit at (λ_k − λ_{k+1})/(4 λ_1).
    """
    kept, lost = _kept_and_next(problem)
    rate = min(float(-np.diff(kept).max()) / 2, float(kept[-1] - lost) / 4) / kept[0]
    return float(-np.log(gradient_stop(problem)) / rate) if rate > 0 else np.inf


def _single_unit(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return None
    return Obstacle("not applicable", "code 1: a single unit has no order")


def _kept_and_next(problem: Problem) -> tuple[Float64[np.ndarray, " code"], float]:
    """λ_1 … λ_k, and λ_{k+1}, for Σλ = 1."""
    eigenvalues = unit_eigenvalues(problem)
    return eigenvalues[: problem.code], float(eigenvalues[problem.code])


def _tolerance(problem: Problem, curvature: float, detail: str) -> Tolerance:
    """G/h: twice the distance G/(2 h) for gradient norm G = `gradient_error` and curvature h."""
    error = gradient_error(problem)
    basis = f"gradient {error:.1e} against the least curvature {curvature:.1e}{detail}"
    return Tolerance(error / curvature if curvature > 0 else np.inf, TRAINED_CAP, basis)


def _decayed_tolerance(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Tolerance:
    kept, lost = _kept_and_next(problem)
    relative = decays / problem.pca.eigenvalues.sum()
    return _tolerance(problem, decayed_curvature(kept, lost, relative), _gap_detail(kept, lost))


def _nested_tolerance(problem: Problem) -> Tolerance:
    kept, lost = _kept_and_next(problem)
    curvature = nested_curvature(kept, lost, uniform_survival(problem.code))
    return _tolerance(problem, curvature, _gap_detail(kept, lost))


def _gap_detail(kept: Float64[np.ndarray, " code"], lost: float) -> str:
    gap = float(-np.diff(np.append(kept, lost)).max())
    return f" of Σλ = 1, where the least gap of λ_1 … λ_{{k+1}} is {gap:.1e}"


def _rotated_tolerance(problem: Problem) -> Tolerance:
    """G/δ + G/(λ_k − λ_{k+1}) + G/(4 λ_k), δ = min gap of λ_1 … λ_k; infinite above `MAX_WORK`.

    Twice the error that an update direction of norm G leaves: tilts and stretches as with tied
    weights, and rotations of (2 G/8 + G/4)/δ, as stretches h_ij change C by (λ_i + λ_j) h_ij ≤ G/4.
    """
    (kept, lost), error = _kept_and_next(problem), gradient_error(problem)
    inner, outer = float(-np.diff(kept).max()), float(kept[-1] - lost)
    basis = f"gradient {error:.1e} against gaps of {inner:.1e} and {outer:.1e}, for Σλ = 1"
    steps = rotated_steps(problem)
    if not steps * max(MIN_STEP_WORK, problem.moments.factor.size * problem.code) <= MAX_WORK:
        return Tolerance(np.inf, TRAINED_CAP, f"{basis}: some {steps:.0e} steps are too many")
    return Tolerance(error * (1 / inner + 1 / outer + 1 / (4 * kept[-1])), TRAINED_CAP, basis)


def _with_error(
    problem: Problem, evidence: Evidence, *, decays: Float64[np.ndarray, " code"] | None = None
) -> Evidence:
    """Evidence whose residual includes `objective_error`, with p_b = 1/k (default) or with μ."""
    code = problem.code
    if decays is None:
        error = objective_error(
            problem, uniform_survival(code), np.full(code, 1 / code), np.zeros(code)
        )
        tolerance = _nested_tolerance(problem)
    else:
        error = objective_error(problem, np.ones(code), np.eye(code)[-1], decays)
        tolerance = _decayed_tolerance(problem, decays)
    rounding = Tolerance(gradient_rounding(problem), TRAINED_CAP, "")
    defined = rescaled_residual(error, rounding, tolerance)
    return evidence._replace(residual=max(evidence.residual, defined))


def _unequal_evidence(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Evidence:
    solution = train_decayed(problem, decays)
    equal = np.full_like(decays, decays.mean())
    return Evidence(
        _gain_error(problem, solution, ordered_gains(_kept_eigenvalues(problem), decays)),
        _gain_error(
            problem, train_decayed(problem, equal), ordered_gains(_kept_eigenvalues(problem), equal)
        ),
        convergence_doubt(solution),
    )


def _vanishing_evidence(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Evidence:
    solution = train_decayed(problem, decays)
    residual, control = (
        _gain_error(problem, solution, gains)
        for gains in (
            ordered_gains(_kept_eigenvalues(problem), decays),
            np.abs(1 - decays / _kept_eigenvalues(problem)),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _nested_evidence(problem: Problem) -> Evidence:
    solution = train_nested(problem, uniform_survival(problem.code))
    residual, control = (
        float(
            component_sines(rows / np.linalg.norm(rows, axis=1, keepdims=True), problem.pca).max()
        )
        for rows in (
            kernels(solution)[1],
            kernels(train_nested(problem, np.ones(problem.code)))[1],
        )
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _rotated_evidence(problem: Problem) -> Evidence:
    solution = train_rotated(problem, max_steps=int(3 * rotated_steps(problem)) + 1000)
    target = leading_components(problem.pca, problem.code).T
    residual, control = (
        _distance_up_to_signs(np.asarray(each.params["encoder"]["layer_0"]["kernel"]), target)
        for each in (solution, train_tied(problem))
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _kept_eigenvalues(problem: Problem) -> Float64[np.ndarray, " code"]:
    return problem.pca.eigenvalues[: problem.code]


def _gain_error(problem: Problem, solution: Solution, gains: Float64[np.ndarray, " code"]) -> float:
    """Maximum distance of the two kernels from V_k diag(±√g)."""
    target = leading_components(problem.pca, problem.code).T * np.sqrt(gains)
    encoder, decoder = kernels(solution)
    return max(_distance_up_to_signs(encoder, target), _distance_up_to_signs(decoder.T, target))


def _distance_up_to_signs(
    kernel: Float64[np.ndarray, "features code"], target: Float64[np.ndarray, "features code"]
) -> float:
    """‖W diag(±1) − target‖ in spectral norm, with the best sign of each unit."""
    signs = np.where(np.sum(kernel * target, axis=0) < 0, -1.0, 1.0)
    return float(np.linalg.norm(kernel * signs - target, ord=2))
