"""The theorem that three ways of breaking the code's symmetry order it: one unit a component."""

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
    objective_error,
    rising_decays,
    train_decayed,
    train_nested,
    train_rotated,
    uniform_survival,
)
from aejax.theory.parameters.tied import train_tied
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import Solution
from aejax.theory.solvers.penalised import kernels

WORK = 3e9
"""Greatest work of a rotated training: its expected steps, times rows, features and code units."""

STEP_WORK = 1e4
"""Work of the smallest step."""

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

    Unequal L2: as for equal μ (`sum_regularisation`), but with D = diag(μ) and the Sylvester
    equation M Δ + Δ D = 0, W_e = W_dᵀ = K at every critical point, and M K = K D, M = S (I − K Kᵀ)
    symmetric. Distinct μ make K's columns orthogonal eigenvectors of M, hence of S, of squared
    length 1 − μ_i/λ: aligned at saddles too, whatever λ. A unit on λ saves (λ − μ)²₊/λ, whose mixed
    derivative in λ and μ is no more than zero, so least μ pairs with largest λ. The literature's
    bound μ_k < λ_k keeps all k units; beyond it those with μ_i ≥ λ_i vanish, and no more is lost.

    Nested dropout: each truncation has Eckart–Young's bound, and V_k attains all: the minimum is
    Σ_b p_b Σ_{i>b} λ_i. So where p_b > 0 and λ_1 > … > λ_k > λ_{k+1}, R w_e,b w_d,b = R v_b v_bᵀ:
    units are free in length only, which Rippel's orthonormal decoder fixes and nothing else needs.

    Rotation: gradient and rotation are orthogonal (L is constant along the code's rotations), so
    both vanish where their sum does: W_e spans eigenvectors and its covariance is diagonal. For
    tied kernels, orthonormal there, it is V_k up to order and sign, and the order of `rotation` is
    the only stable one. Untied kernels need W_eᵀ W_e = W_d W_dᵀ: the whitened code is stationary
    for any rotation.

    Each is trained from a random start. The closed form that is trained, which needs no truncation,
    is held to the mean of `aejax.objective` over truncations, at random kernels. Residuals:
    spectral norm of kernels less the formula, and for nested dropout the greatest sine of a row's
    angle. Controls, which never align: equal μ; the formula with |1 − μ/λ| beyond the bound; a
    plain autoencoder; plain tied training.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Four certificates: L2 within and beyond the bound, nested dropout, rotation.

    Source: Bao et al. 2020; Rippel, Gelbart & Adams 2014; Oftadeh et al. 2020.
    """
    if obstacle := map_obstacle(problem) or _alone(problem):
        return refuse((UNEQUAL, BEYOND, NESTED, ROTATED), obstacle)
    within, beyond = unequal_decays(problem), unequal_decays(problem, beyond=True)
    return (
        certify(
            UNEQUAL,
            _decayed_tolerance(problem, within),
            lambda: _held(problem, _unequal(problem, within), decays=within),
        ),
        certify(
            BEYOND,
            _decayed_tolerance(problem, beyond),
            lambda: _held(problem, _vanishing(problem, beyond), decays=beyond),
        ),
        certify(NESTED, _nested_tolerance(problem), lambda: _held(problem, _nested(problem))),
        certify(ROTATED, _rotated_tolerance(problem), lambda: _rotated(problem)),
    )


def unequal_decays(problem: Problem, *, beyond: bool = False) -> Float64[np.ndarray, " code"]:
    """μ_i = λ_k i/(k + 1), below λ_k; or the same with μ_k = 2 λ_k, beyond it."""
    least = float(problem.pca.eigenvalues[problem.code - 1])
    decays = rising_decays(least, problem.code)
    if beyond:
        decays[-1] = 2 * least
    return decays


def rotated_steps(problem: Problem) -> float:
    """Steps that the rotated training needs: ln(1/g) over the rate of its slowest direction.

    A step of 1/(8 λ_1) with a rotation of weight 8 turns neighbours by (λ_i − λ_{i+1})/(2 λ_1) of
    their angle, and tilts the last unit by (λ_k − λ_{k+1})/(4 λ_1) of its.
    """
    kept, left = _kept_and_left(problem)
    rate = min(float(-np.diff(kept).max()) / 2, float(kept[-1] - left) / 4) / kept[0]
    return float(-np.log(gradient_stop(problem)) / rate) if rate > 0 else np.inf


def _alone(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return None
    return Obstacle("not applicable", "code 1: a single unit has no order, and nothing to align")


def _kept_and_left(problem: Problem) -> tuple[Float64[np.ndarray, " code"], float]:
    eigenvalues = unit_eigenvalues(problem)
    return eigenvalues[: problem.code], float(eigenvalues[problem.code])


def _over(problem: Problem, curvature: float, words: str) -> Tolerance:
    """A gradient G leaves a step of G/(2 h); twice that."""
    error = gradient_error(problem)
    basis = f"gradient {error:.1e} against the least curvature {curvature:.1e}{words}"
    return Tolerance(error / curvature if curvature > 0 else np.inf, TRAINED_CAP, basis)


def _decayed_tolerance(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Tolerance:
    kept, left = _kept_and_left(problem)
    relative = decays / problem.pca.eigenvalues.sum()
    return _over(problem, decayed_curvature(kept, left, relative), _gap_words(kept, left))


def _nested_tolerance(problem: Problem) -> Tolerance:
    kept, left = _kept_and_left(problem)
    curvature = nested_curvature(kept, left, uniform_survival(problem.code))
    return _over(problem, curvature, _gap_words(kept, left))


def _gap_words(kept: Float64[np.ndarray, " code"], left: float) -> str:
    gap = float(-np.diff(np.append(kept, left)).max())
    return f" of Σλ = 1, where the least gap of λ_1 … λ_{{k+1}} is {gap:.1e}"


def _rotated_tolerance(problem: Problem) -> Tolerance:
    """G/δ + G/(λ_k − λ_{k+1}) + G/(4 λ_k), δ the least gap of λ_1 … λ_k; infinite beyond `WORK`.

    Twice what a direction of norm G leaves: tilts and stretches as of tied weights, in which a
    stretch h_ij moves C by (λ_i + λ_j) h_ij ≤ G/4; and then turns of (2 G/8 + G/4)/δ.
    """
    (kept, left), error = _kept_and_left(problem), gradient_error(problem)
    turn, tilt = float(-np.diff(kept).max()), float(kept[-1] - left)
    basis = f"gradient {error:.1e} against gaps of {turn:.1e} and {tilt:.1e}, for Σλ = 1"
    steps = rotated_steps(problem)
    if not steps * max(STEP_WORK, problem.moments.factor.size * problem.code) <= WORK:
        return Tolerance(np.inf, TRAINED_CAP, f"{basis}: some {steps:.0e} steps are too many")
    return Tolerance(error * (1 / turn + 1 / tilt + 1 / (4 * kept[-1])), TRAINED_CAP, basis)


def _held(
    problem: Problem, evidence: Evidence, *, decays: Float64[np.ndarray, " code"] | None = None
) -> Evidence:
    """The evidence, with the distance of the objective from its definition, p_b = 1/k or μ."""
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


def _unequal(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Evidence:
    solution = train_decayed(problem, decays)
    equal = np.full_like(decays, decays.mean())
    return Evidence(
        _from_gains(problem, solution, ordered_gains(_leading(problem), decays)),
        _from_gains(
            problem, train_decayed(problem, equal), ordered_gains(_leading(problem), equal)
        ),
        convergence_doubt(solution),
    )


def _vanishing(problem: Problem, decays: Float64[np.ndarray, " code"]) -> Evidence:
    solution = train_decayed(problem, decays)
    residual, control = (
        _from_gains(problem, solution, gains)
        for gains in (
            ordered_gains(_leading(problem), decays),
            np.abs(1 - decays / _leading(problem)),
        )
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _nested(problem: Problem) -> Evidence:
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


def _rotated(problem: Problem) -> Evidence:
    solution = train_rotated(problem, max_steps=int(3 * rotated_steps(problem)) + 1000)
    target = leading_components(problem.pca, problem.code).T
    residual, control = (
        _departure(np.asarray(each.params["encoder"]["layer_0"]["kernel"]), target)
        for each in (solution, train_tied(problem))
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _leading(problem: Problem) -> Float64[np.ndarray, " code"]:
    return problem.pca.eigenvalues[: problem.code]


def _from_gains(problem: Problem, solution: Solution, gains: Float64[np.ndarray, " code"]) -> float:
    """Distance of either kernel from V_k diag(±√g), the greater one."""
    target = leading_components(problem.pca, problem.code).T * np.sqrt(gains)
    encoder, decoder = kernels(solution)
    return max(_departure(encoder, target), _departure(decoder.T, target))


def _departure(
    kernel: Float64[np.ndarray, "features code"], target: Float64[np.ndarray, "features code"]
) -> float:
    """‖W diag(±1) − target‖ in spectral norm, with the signs that suit each unit."""
    signs = np.where(np.sum(kernel * target, axis=0) < 0, -1.0, 1.0)
    return float(np.linalg.norm(kernel * signs - target, ord=2))
