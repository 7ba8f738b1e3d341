"""Theorem on the L2 penalty on W_e W_d: it shrinks the projector and leaves the code basis free."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import penalties
from aejax.models import pca_params
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
from aejax.theory.checking.problem import EPSILON, Problem
from aejax.theory.checking.tolerances import (
    CLOSED_FORM_CAP,
    gradient_rounding,
    map_obstacle,
    pass_rounding,
)
from aejax.theory.optimum.invariance import CONDITION, change_code, invertible_matrix
from aejax.theory.solvers.lbfgs import convergence_doubt
from aejax.theory.solvers.linear_solvers import Solution, alternating_least_squares
from aejax.theory.solvers.penalised import (
    half_decay,
    kernels,
    penalised_objective,
    product_gains,
    product_gradient,
    product_penalty,
    sum_gains,
)
from aejax.types import Params, Penalty

GAINS = Statement(
    claim="L2 regularisation of the product shrinks the projector, and drops no component",
    formula="W_e W_d = Σ_{i≤k} v_i v_iᵀ/(1 + μ/λ_i), at μ = λ_k/2",
    source="Kunin et al. 2019",
)
INVARIANT = Statement(
    claim="L2 regularisation of the product leaves the code as free as none does",
    formula="J(W_e G, G⁻¹ W_d) = J(W_e, W_d) for every invertible G",
    source="Kunin et al. 2019",
)


def product_regularisation(problem: Problem) -> tuple[Certificate, ...]:
    """L2 on the product: gains λ_i/(λ_i + μ), and J is invariant to an invertible change of code.

    J = L + μ ‖W_e W_d‖² is tr (W − W_0)ᵀ (S + μI) (W − W_0) plus a constant, with
    W_0 = (S + μI)⁻¹ S. With X = (S + μI)^½ W it is ‖X − X_0‖² for X_0 = (S + μI)^−½ S, whose
    singular values τ_i = λ_i/√(λ_i + μ) increase with λ: Eckart–Young keeps the k leading ones.

    Gradient descent converges slowly, as J is constant under a change of code G. Alternating ridge
    regressions from a random start are used instead: alternating least squares on X_0 = C⁻¹ S with
    the Cholesky factor C of S + μI, which uses no eigenvectors. The rounding error of X_0 is
    ρ = n ε λ_1/√μ; that of W is 3 ρ/(τ_k − τ_{k+1}), as of a projector, plus n ε (λ_1 + μ)/μ of the
    last solve. The gradient of J by `aejax.objective` must vanish at the formula; the invariance is
    checked for J on the user's data.

    Controls: the gains 1 − μ/λ_i of the L2 penalty on each kernel; that penalty, which G changes.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, gains and invariance.

    Source: Kunin et al. 2019 (the product loss).
    """
    if obstacle := map_obstacle(problem):
        return refuse((GAINS, INVARIANT), obstacle)
    decay = half_decay(problem)
    return (
        certify(GAINS, _map_tolerance(problem, decay), lambda: _gain_evidence(problem, decay)),
        certify(
            INVARIANT,
            _change_tolerance(problem, decay),
            lambda: _invariance_evidence(problem, decay),
        ),
    )


def shrunk_map(
    problem: Problem, gains: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "features features"]:
    """Σ_{i≤k} g_i v_i v_iᵀ."""
    components = leading_components(problem.pca, problem.code)
    return (components.T * gains[: problem.code]) @ components


def ridge_least_squares(problem: Problem, decay: float) -> tuple[Solution, np.ndarray]:
    """Minimise J by alternating ridge regressions.

    Args:
        problem: data of rank ≥ k, code size and key.
        decay: μ.

    Returns:
        The solution for X_0, whose decoder also minimises J; and W_e W_d [n, n], with
        W_e = (S + μI)⁻¹ S U for the orthonormal encoder U of that solution.
    """
    gram = problem.moments.factor.T @ problem.moments.factor
    lower = np.linalg.cholesky(gram + decay * np.eye(len(gram)))
    scaled = problem.moments._replace(factor=np.linalg.solve(lower, gram))
    solution = alternating_least_squares(problem.key, scaled, problem.code)
    encoder, decoder = kernels(solution)
    return solution, np.linalg.solve(lower.T, scaled.factor @ encoder) @ decoder


def _map_tolerance(problem: Problem, decay: float) -> Tolerance:
    eigenvalues, features = problem.pca.eigenvalues, problem.x.shape[1]
    roots = np.pad(eigenvalues / np.sqrt(eigenvalues + decay), (0, 1))
    kept, lost = roots[problem.code - 1 : problem.code + 1]
    solved = features * EPSILON * eigenvalues[0] / decay
    basis = f"rounding {solved:.1e} of λ_1/μ against τ_k − τ_{{k+1}} = {(kept - lost):.1e}"
    if not kept > lost:
        return Tolerance(np.inf, CLOSED_FORM_CAP, basis)
    rotated = 3 * solved * np.sqrt(decay) / (kept - lost)
    return Tolerance(float(rotated + solved + features * EPSILON), CLOSED_FORM_CAP, basis)


def _change_tolerance(problem: Problem, decay: float) -> Tolerance:
    """Tolerance of a change of code without a penalty, plus the rounding of the penalty."""
    minimum = penalised_objective(problem, _shrunk_params(problem, decay), decay, product_penalty)
    error, features = 2 * CONDITION * pass_rounding(problem), problem.x.shape[1]
    basis = f"rounding {error:.1e} of a row against J = {minimum:.1e}"
    rows = (2 * np.sqrt(minimum) * error + error**2) / minimum
    return Tolerance(
        float(rows + 4 * CONDITION**2 * EPSILON * np.sqrt(features)), CLOSED_FORM_CAP, basis
    )


def _gain_evidence(problem: Problem, decay: float) -> Evidence:
    solution, found = ridge_least_squares(problem, decay)
    residual, control = (
        float(np.linalg.norm(found - shrunk_map(problem, gains(problem.pca.eigenvalues, decay)), 2))
        for gains in (product_gains, sum_gains)
    )
    doubt = convergence_doubt(solution, method="ridge regression")
    rows = leading_components(problem.pca, problem.code)
    gains = product_gains(problem.pca.eigenvalues, decay)[: problem.code]
    gradient = product_gradient(problem, rows.T, gains[:, None] * rows, decay)
    stationary = Tolerance(gradient_rounding(problem), CLOSED_FORM_CAP, "")
    defined = rescaled_residual(gradient, stationary, _map_tolerance(problem, decay))
    return Evidence(max(residual, defined), control, doubt)


def _invariance_evidence(problem: Problem, decay: float) -> Evidence:
    params = _shrunk_params(problem, decay)
    with jax.enable_x64(True):
        change = invertible_matrix(problem.key, problem.code)
        changed = change_code(params, change, jnp.linalg.inv(change))

    def relative_change(penalty: Penalty) -> float:
        before, after = (
            penalised_objective(problem, each, decay, penalty) for each in (params, changed)
        )
        return abs(after - before) / before

    return Evidence(relative_change(product_penalty), relative_change(penalties.l2()))


def _shrunk_params(problem: Problem, decay: float) -> Params:
    """Parameters of the minimum: V_k and the shrunk V_kᵀ, with biases for the mean."""
    components = leading_components(problem.pca, problem.code)
    gains = product_gains(problem.pca.eigenvalues, decay)[: problem.code]
    with jax.enable_x64(True):
        params = pca_params(jnp.asarray(components), jnp.asarray(problem.pca.mean))
        decoder = params["decoder"]["layer_0"]
        shrunk = {**decoder, "kernel": jnp.asarray(gains[:, None] * components)}
        return {**params, "decoder": {"layer_0": shrunk}}
