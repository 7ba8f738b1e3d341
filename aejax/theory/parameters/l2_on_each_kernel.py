"""Theorem on the L2 penalty on each kernel: W_e = W_dᵀ with shrunk singular values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from aejax import penalties
from aejax.theory.analysis.pca import least_loss
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle, rank
from aejax.theory.checking.tolerances import (
    CLOSED_FORM_CAP,
    TRAINED_CAP,
    gradient_error,
    pass_rounding,
)
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import Solution, centred_params
from aejax.theory.solvers.penalised import (
    CONTROL_STEPS,
    curvatures,
    half_decay,
    kernels,
    least_sum_loss,
    penalised_objective,
    product_gains,
    sum_gains,
    train_penalised,
)

LOSS = Statement(
    claim="L2 regularisation of both kernels costs 2μ − μ²/λ for each component that is kept",
    formula="min J = Σ_{i>k} λ_i + Σ_{i≤k} (2μ − μ²/λ_i), at μ = λ_k/2",
    source="Kunin et al. 2019",
)
TRANSPOSES = Statement(
    claim="L2 regularisation of both kernels makes encoder and decoder transposes of each other",
    formula="W_e = W_dᵀ, at μ = λ_k/2",
    source="Kunin et al. 2019",
)
SHRUNK = Statement(
    claim="L2 regularisation of both kernels shrinks their squared singular values by μ/λ",
    formula="σ_i(W_e)² = σ_i(W_d)² = 1 − μ/λ_i, at μ = λ_k/2",
    source="Kunin et al. 2019",
)
VANISHED = Statement(
    claim="components whose variance is no more than μ vanish, and the others are shrunk",
    formula="σ_i(W_e)² = σ_i(W_d)² = max(0, 1 − μ/λ_i), at a μ above λ_k",
    source="Kunin et al. 2019 for μ < λ_k; beyond it derived here",
)


def sum_regularisation(problem: Problem) -> tuple[Certificate, ...]:
    """L2 on each kernel: W_e = W_dᵀ, with squared singular values max(0, 1 − μ/λ_i).

    If J = L + μ (‖W_e‖² + ‖W_d‖²) has gradient zero, μ W_e = S (I − W) W_dᵀ and
    μ W_dᵀ = (I − W)ᵀ S W_e. The second gives S W = W_dᵀ (μI + W_eᵀ S W_e) W_d, so M = S (I − W) is
    symmetric; W has the eigenvalues of W_d W_e = I − μ (μI + W_eᵀ S W_e)⁻¹, in [0, 1), so M ≽ 0.
    The difference of the two equations, (μI + M)(W_e − W_dᵀ) = 0, implies W_e = W_dᵀ, at saddles
    too. The literature assumes S invertible with distinct eigenvalues and μ < λ_k; the claims here
    need none of these, nor rank ≥ k: unused units vanish. Singular values: see `sum_gains`.

    Verification: L-BFGS from a random start, with `aejax.objective` and `penalties.l2`; the loss is
    evaluated on the user's data with biases, which the penalty ignores. The residual of the
    singular values is the maximum error of their squares over both kernels.

    Tolerances: let G be the gradient norm, for Σλ = 1. As M ≽ 0, ‖W_e − W_dᵀ‖ ≤ 2 G/μ. To first
    order, a squared singular value has the error G/κ, with a curvature κ ≥ min(μ, |λ_i − μ|).
    Rotations between eigenvectors of close eigenvalues add no error to first order but may be
    large, so the tolerance is 4 G/κ. The error of the loss is at most 10 G for kernels within 10 of
    the minimum, or 10 G²/κ if that is less.

    Controls: J of unshrunk PCA; encoder, decoder and gains of the L2 penalty on the product.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Four certificates: loss, transposes, singular values below λ_k, and above it.

    Source: Kunin et al. 2019 (the sum loss: transposes, and its critical points).
    """
    if obstacle := pca_obstacle(problem):
        return refuse((LOSS, TRANSPOSES, SHRUNK, VANISHED), obstacle)
    half, above = half_decay(problem), vanishing_decay(problem)
    train = functools.cache(lambda decay: train_penalised(problem, decay=decay))
    return (
        certify(
            LOSS, _loss_tolerance(problem, half), lambda: _loss_evidence(problem, half, train(half))
        ),
        certify(
            TRANSPOSES,
            _transpose_tolerance(problem, half),
            lambda: _transpose_evidence(problem, half, train(half)),
        ),
        *(
            certify(
                statement,
                _gain_tolerance(problem, decay),
                lambda decay=decay: _gain_evidence(problem, decay, train(decay)),
            )
            for statement, decay in ((SHRUNK, half), (VANISHED, above))
        ),
    )


def vanishing_decay(problem: Problem) -> float:
    """μ above λ_k, in the widest gap between eigenvalues: some components vanish, others do not.

    It is the geometric mean of the two consecutive eigenvalues with the largest ratio, among the
    min(k, rank) leading ones; 2 λ_1, at which all components vanish, if no ratio is 1.1 or more.
    """
    kept = problem.pca.eigenvalues[: min(problem.code, rank(problem))]
    ratios = kept[:-1] / kept[1:]
    if ratios.max(initial=1.0) < 1.1:
        return float(2 * kept[0])
    last = int(ratios.argmax())
    return float(np.sqrt(kept[last] * kept[last + 1]))


def _loss_tolerance(problem: Problem, decay: float) -> Tolerance:
    """(2 √J ρ + ρ² + 10 G min(1, G/κ) Σλ)/J: rounding, and the excess loss of training."""
    minimum = least_sum_loss(problem.pca.eigenvalues, problem.code, decay)
    error, total = pass_rounding(problem), least_loss(problem.pca, 0)
    gradient, curvature = gradient_error(problem), min(curvatures(problem, decay))
    stopped = 10 * gradient * min(1.0, gradient / max(curvature, gradient)) * total
    value = (2 * np.sqrt(minimum) * error + error**2 + stopped) / minimum
    basis = f"rounding {error:.1e} of a row and excess {stopped:.1e} against J = {minimum:.1e}"
    return Tolerance(float(value), CLOSED_FORM_CAP, basis)


def _transpose_tolerance(problem: Problem, decay: float) -> Tolerance:
    relative, error = decay / least_loss(problem.pca, 0), gradient_error(problem)
    basis = f"gradient {error:.1e} against μ/Σλ = {relative:.1e}"
    return Tolerance(2 * error / relative, TRAINED_CAP, basis)


def _gain_tolerance(problem: Problem, decay: float) -> Tolerance:
    kept = problem.pca.eigenvalues[: problem.code]
    nearest = min(decay, float(np.abs(kept - decay).min())) / least_loss(problem.pca, 0)
    error = gradient_error(problem)
    basis = f"gradient {error:.1e} against min(μ, |λ_i − μ|)/Σλ = {nearest:.1e}"
    return Tolerance(4 * error / nearest if nearest > 0 else np.inf, TRAINED_CAP, basis)


def _loss_evidence(problem: Problem, decay: float, solution: Solution) -> Evidence:
    with jax.enable_x64(True):
        encoder, decoder = map(jnp.asarray, kernels(solution))
        params = centred_params(encoder, decoder, problem.moments)
    eigenvalues = problem.pca.eigenvalues
    minimum = least_sum_loss(eigenvalues, problem.code, decay)
    loss = penalised_objective(problem, params, decay, penalties.l2())
    kept = min(problem.code, rank(problem))
    unshrunk = least_loss(problem.pca, problem.code) + 2 * decay * kept
    residual, control = (abs(loss - value) / minimum for value in (minimum, unshrunk))
    return Evidence(residual, control, convergence_doubt(solution))


def _transpose_evidence(problem: Problem, decay: float, solution: Solution) -> Evidence:
    product = train_penalised(problem, product=decay, max_steps=CONTROL_STEPS)
    residual, control = (
        float(np.linalg.norm(encoder - decoder.T, ord=2))
        for encoder, decoder in (kernels(solution), kernels(product))
    )
    return Evidence(residual, control, convergence_doubt(solution))


def _gain_evidence(problem: Problem, decay: float, solution: Solution) -> Evidence:
    code = problem.code
    eigenvalues = np.pad(problem.pca.eigenvalues, (0, code))[:code]
    found = np.stack([np.linalg.svd(kernel, compute_uv=False) for kernel in kernels(solution)])
    residual, control = (
        float(np.abs(np.square(found) - gains(eigenvalues, decay)).max())
        for gains in (sum_gains, product_gains)
    )
    return Evidence(residual, control, convergence_doubt(solution))
