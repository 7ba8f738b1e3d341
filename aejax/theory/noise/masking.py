"""Theorem on linear denoising autoencoders under masking noise: reduced-rank regression."""

import numpy as np
from jaxtyping import Bool, Float64

from aejax.theory.analysis.moments import equivalent_batch
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
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, pca_obstacle, rank, rounding
from aejax.theory.checking.tolerances import TRAINED_CAP
from aejax.theory.noise.expectations import (
    Kernels,
    distance_from_optimum,
    enumerable_problem,
    mask_outcomes,
)
from aejax.theory.noise.gaussian import (
    Regression,
    expected_loss,
    least_regression_loss,
    regression_tolerance,
)

RATE = 0.25
"""q, the probability that an element is masked."""

MASKING = Statement(
    claim="with masking noise of rate q the optimum is a reduced-rank regression, with this loss",
    formula="W_e W_d = (1 − q) M⁺ S U_k U_kᵀ is stationary, M = (1 − q)² S + q (1 − q) diag S; "
    "L = tr S − Σ_{i≤k} eig_i((1 − q)² S M⁺ S), with eigenvectors U",
    source="Izenman 1975; Vincent et al. 2008; derived here",
)
SUBSPACE = Statement(
    claim="where all features have one variance, masking noise leaves the principal subspace alone",
    formula="diag S = d I ⇒ span U_k = span V_k, gains (1 − q) λ_i/((1 − q)² λ_i + q (1 − q) d)",
    source="derived here",
)


def masking_denoising(problem: Problem) -> tuple[Certificate, ...]:
    """With each element of a centred row set to zero with probability q: reduced-rank regression.

    E R̃ᵀR = (1 − q) S, and E R̃ᵀR̃ is (1 − q)² S off the diagonal and (1 − q) S on it, so
    M = (1 − q)² S + q (1 − q) diag S. The best map of rank k is the best map of any rank,
    (1 − q) M⁺ S, projected on the k leading eigenvectors U_k of its fit (1 − q)² S M⁺ S.
    M ≽ q (1 − q) diag S is singular in constant features only, which the pseudo-inverse M⁺ ignores;
    for features of unit variance its condition number is at most 1 + n (1 − q)/q, for any S.

    If diag S = d I, M has the eigenvectors of S and the fit has the eigenvalues
    (1 − q)² λ²/((1 − q)² λ + q (1 − q) d), which increase with λ: the subspace is PCA's. The
    condition is sufficient, not necessary (a diagonal S suffices); in general the subspace rotates.
    Masking the uncentred x of a model with biases adds x̄_j² to the diagonal: then
    M = (1 − q)² S + q (1 − q) diag(S_jj + x̄_j²), as zero is no longer the mean.

    The second statement is checked on the varying features of the data, scaled to unit variance.

    Both statements are also compared with the definition as in `gaussian_denoising`, by the mean of
    `aejax.objective` over all 2ⁿ masks weighted by their probabilities.

    Controls: PCA's map divided by 1 − q, which is optimal without the diagonal term; the features
    of unit variance with the one of largest weight in the first component scaled by two.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates: the optimum and its loss, and the subspace at equal variances.

    Source: Izenman 1975; Vincent et al. 2008.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((MASKING, SUBSPACE), obstacle)
    case = _unit_regression(problem)
    least = least_regression_loss(case, problem.code)
    tolerance = regression_tolerance(problem, case, least)
    return (
        certify(MASKING, tolerance, lambda: _optimum_evidence(problem, case, least, tolerance)),
        _subspace_certificate(problem),
    )


def masking_regression(factor: Float64[np.ndarray, "rows n"], *, rate: float = RATE) -> Regression:
    """X = [(1 − q) T; √(q (1 − q) diag S)] and Y = [T; 0]: the expectation over masks of rate q."""
    spread = np.sqrt(rate * (1 - rate)) * np.diag(np.linalg.norm(factor, axis=0))
    return Regression(np.r_[(1 - rate) * factor, spread], np.r_[factor, 0 * spread])


def reduced_rank_regression(case: Regression, code: int) -> Kernels:
    """Minimise ‖Y − X W_e W_d‖²_F for X of full column rank: W_e = X⁺ Y U_k, W_d = U_kᵀ.

    Args:
        case: X [p, n] and Y [p, n'].
        code: k ≤ min(n, n').

    Returns:
        The `Kernels`; the rows of W_d are orthonormal.

    Source: Izenman 1975.
    """
    basis, triangle = np.linalg.qr(case.noisy)
    fitted = basis.T @ case.target
    rows = np.linalg.svd(fitted, full_matrices=False)[2][:code]
    return Kernels(np.linalg.solve(triangle, fitted @ rows.T), rows)


def masking_kernels(problem: Problem) -> Kernels:
    """Optimal kernels under masks, for the unscaled data; zero on constant features."""
    keep = varying_features(problem)
    solution = reduced_rank_regression(_unit_regression(problem), problem.code)
    factor = problem.moments.factor[:, keep]
    units = np.linalg.norm(factor) / np.linalg.norm(factor, axis=0)
    encoder = np.zeros((len(keep), len(solution.decoder)))
    encoder[keep] = solution.encoder * units[:, None]
    decoder = np.zeros(encoder.T.shape)
    decoder[:, keep] = solution.decoder
    return Kernels(encoder, decoder)


def varying_features(problem: Problem) -> Bool[np.ndarray, " features"]:
    """Features whose standard deviation exceeds the rounding error of a constant feature."""
    return np.linalg.norm(problem.moments.factor, axis=0) > rounding(problem)


def _unit_regression(problem: Problem) -> Regression:
    """Regression on the varying features, scaled to unit standard deviations in X and ‖Y‖_F = 1."""
    factor = problem.moments.factor[:, varying_features(problem)]
    noisy, target = masking_regression(factor)
    return Regression(noisy / np.linalg.norm(factor, axis=0), target / np.linalg.norm(factor))


def equal_variance_gains(
    eigenvalues: Float64[np.ndarray, " components"], *, rate: float = RATE
) -> Float64[np.ndarray, " components"]:
    """Optimal gains (1 − q) λ_i/((1 − q)² λ_i + q (1 − q)) if all variances are one."""
    return (1 - rate) * eigenvalues / ((1 - rate) ** 2 * eigenvalues + rate * (1 - rate))


def _optimum_evidence(
    problem: Problem, case: Regression, least: float, tolerance: Tolerance
) -> Evidence:
    keep = varying_features(problem)
    loss, gradient = expected_loss(case, reduced_rank_regression(case, problem.code))
    factor, rows = problem.moments.factor, leading_components(problem.pca, problem.code)
    scale = np.linalg.norm(factor, axis=0)[keep] / np.linalg.norm(factor) / (1 - RATE)
    without_diagonal, _ = expected_loss(case, Kernels((rows[:, keep] * scale).T, rows[:, keep]))
    residual = max(max(abs(loss - least), gradient) / least, _by_enumeration(problem, tolerance))
    return Evidence(residual, abs(without_diagonal - least) / least)


def _by_enumeration(problem: Problem, tolerance: Tolerance) -> float:
    """Distance of kernels and loss from the optimum of the library's objective over all masks."""
    part = enumerable_problem(problem)
    case = _unit_regression(part)
    least = least_regression_loss(case, part.code)
    factor = part.moments.factor[:, varying_features(part)]
    rows = equivalent_batch(factor)
    residual = distance_from_optimum(
        reduced_rank_regression(case, part.code),
        least,
        (rows / np.linalg.norm(factor, axis=0), rows / np.linalg.norm(factor)),
        mask_outcomes(factor.shape[1], rate=RATE),
        part.key,
    )
    return rescaled_residual(residual, regression_tolerance(part, case, least), tolerance)


def _subspace_certificate(problem: Problem) -> Certificate:
    factor = problem.moments.factor[:, varying_features(problem)]
    scaled = factor / np.linalg.norm(factor, axis=0)
    values = np.linalg.svd(scaled, compute_uv=False)
    if problem.code >= rank(problem):
        reason = f"rank {rank(problem)} ≤ code {problem.code}: both subspaces contain all data"
        (refused,) = refuse((SUBSPACE,), Obstacle("not identifiable", reason))
        return refused
    tolerance = _subspace_tolerance(scaled.shape, values, problem.code)
    return certify(SUBSPACE, tolerance, lambda: _subspace_evidence(problem, scaled, tolerance))


def _subspace_tolerance(
    shape: tuple[int, int], values: Float64[np.ndarray, " values"], code: int
) -> Tolerance:
    """ε (√(pn) + 50) σ_1 (3 + ‖X‖/√(q (1 − q)))/(f_k − f_{k+1}), f the singular values of the fit.

    For features of unit variance f = (1 − q) λ/√((1 − q)² λ + q (1 − q)), of order λ = σ² for small
    σ. Its gap determines the rotation of the subspace (Wedin 1972); the gap of the factor,
    σ_k − σ_{k+1} ≥ 0.9 (f_k − f_{k+1}), is not smaller. The fit is the projection of Y on the range
    of X, which a rounding error of X rotates by ‖X⁺‖ ≤ 1/√(q (1 − q)) times its size; the term 3
    counts the product and two singular value decompositions.
    """
    eigenvalues, spread = np.square(values), RATE * (1 - RATE)
    noisy = np.sqrt((1 - RATE) ** 2 * eigenvalues + spread)
    fit = (1 - RATE) * eigenvalues / noisy
    gap = float(fit[code - 1] - fit[code])
    size = EPSILON * float(np.sqrt((shape[0] + shape[1]) * shape[1]) + DEFLATION)
    error = size * float(values[0] * (3 + noisy[0] / np.sqrt(spread)))
    basis = f"rounding {error:.1e} against the gap f_k − f_{{k+1}} = {gap:.1e} of the fit's values"
    return Tolerance(error / gap if gap > 0 else np.inf, TRAINED_CAP, basis)


def _subspace_evidence(
    problem: Problem, scaled: Float64[np.ndarray, "rows n"], tolerance: Tolerance
) -> Evidence:
    """Error of the formula at equal variances; control: one variance is four times as large."""
    first = np.linalg.svd(scaled, full_matrices=False)[2][0]
    uneven = scaled.copy()
    uneven[:, np.abs(first).argmax()] *= 2
    sine, control = (_subspace_sine(factor, problem.code) for factor in (scaled, uneven))
    defined = _by_enumeration_at_equal_variances(enumerable_problem(problem), tolerance)
    return Evidence(max(sine, _gain_error(scaled, problem.code), defined), control)


def _subspace_sine(factor: Float64[np.ndarray, "rows n"], code: int) -> float:
    """Sine of the largest principal angle between U_k and V_k."""
    principal = np.linalg.svd(factor, full_matrices=False)[2][:code]
    rows = reduced_rank_regression(masking_regression(factor), code).decoder
    return float(np.linalg.norm(rows - (rows @ principal.T) @ principal, ord=2))


def _gain_error(scaled: Float64[np.ndarray, "rows n"], code: int) -> float:
    """‖W_e W_d − Σ_{i≤k} g_i v_i v_iᵀ‖₂, relative to the largest possible gain 1/(1 − q)."""
    found, formula = (
        each.encoder @ each.decoder
        for each in (
            reduced_rank_regression(masking_regression(scaled), code),
            _equal_variance_kernels(scaled, code),
        )
    )
    return float(np.linalg.norm(found - formula, ord=2)) * (1 - RATE)


def _equal_variance_kernels(scaled: Float64[np.ndarray, "rows n"], code: int) -> Kernels:
    """W_e = V_k diag(g) and W_d = V_kᵀ."""
    _, values, components = np.linalg.svd(scaled, full_matrices=False)
    rows = components[:code]
    return Kernels(rows.T * equal_variance_gains(np.square(values[:code])), rows)


def _by_enumeration_at_equal_variances(part: Problem, tolerance: Tolerance) -> float:
    """Distance of the formula from the optimum of the library's objective over all masks."""
    factor = part.moments.factor[:, varying_features(part)]
    scaled = factor / np.linalg.norm(factor, axis=0)
    eigenvalues = np.square(np.linalg.svd(scaled, compute_uv=False))
    saved = (1 - RATE) * eigenvalues * equal_variance_gains(eigenvalues)
    least = float(eigenvalues.sum() - saved[: part.code].sum())
    rows = equivalent_batch(scaled)
    residual = distance_from_optimum(
        _equal_variance_kernels(scaled, part.code),
        least,
        (rows,),
        mask_outcomes(scaled.shape[1], rate=RATE),
        part.key,
    )
    own = regression_tolerance(part, masking_regression(scaled), least)
    return rescaled_residual(residual, own, tolerance)
