"""The theorem on L2 regularisation of the product of both kernels: shrunk, and no more."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import penalties
from aejax.models import pca_params
from aejax.theory.certificate import Certificate, Evidence, Statement, Tolerance, certify, refuse
from aejax.theory.invariance import CONDITION, change_code, invertible
from aejax.theory.lbfgs import gradient_error, unfinished, unit_eigenvalues
from aejax.theory.measures import map_error
from aejax.theory.pca import leading_components, least_loss
from aejax.theory.penalised import (
    half_decay,
    penalised_objective,
    product_gains,
    product_penalty,
    sum_gains,
    train_penalised,
)
from aejax.theory.problem import EPSILON, Problem
from aejax.theory.tolerances import CLOSED_FORM_CAP, TRAINED_CAP, pass_rounding, undetermined_map
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
    """With μ ‖W_e W_d‖²: gains λ_i/(λ_i + μ), and an invertible change of code alters nothing.

    J is tr (W − W_0)ᵀ (S + μI) (W − W_0) and a constant, with W_0 = (S + μI)⁻¹ S. With
    X = (S + μI)^½ W it is the distance of X to X_0 = (S + μI)^−½ S, whose singular values
    τ_i = λ_i/√(λ_i + μ) grow with λ: Eckart–Young keeps the k leading components.

    Trained by L-BFGS from a random start with `aejax.objective`. With G the gradient's norm for
    Σλ = 1, the excess of J is E ≤ 10 G²/(4 κ), κ the lesser of τ_k² − τ_{k+1}² and λ_n + μ; ten is
    for a code whose scale is not one. Then ‖W − W*‖ ≤ √(3 E τ_k²/(μ (τ_k² − τ_{k+1}²))), as for
    the trained map without a penalty. The invariance is that of J on the user's data.

    Controls: the gains 1 − μ/λ_i of the sum loss; the sum loss, which G alters.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, gains and invariance.

    Source: Kunin et al. 2019, theorems 1 and 2.
    """
    if obstacle := undetermined_map(problem):
        return refuse((GAINS, INVARIANT), obstacle)
    decay = half_decay(problem)
    return (
        certify(GAINS, _map_tolerance(problem, decay), lambda: _shrunk(problem, decay)),
        certify(INVARIANT, _change_tolerance(problem, decay), lambda: _unchanged(problem, decay)),
    )


def shrunk_map(
    problem: Problem, gains: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "features features"]:
    """Σ_{i≤k} g_i v_i v_iᵀ."""
    components = leading_components(problem.pca, problem.code)
    return (components.T * gains[: problem.code]) @ components


def _map_tolerance(problem: Problem, decay: float) -> Tolerance:
    eigenvalues, error = unit_eigenvalues(problem), gradient_error(problem)
    relative = decay / least_loss(problem.pca, 0)
    squares = np.square(eigenvalues) / (eigenvalues + relative)
    kept, left = squares[problem.code - 1 : problem.code + 1]
    gap, flattest = kept - left, min(kept - left, eigenvalues[-1] + relative)
    basis = f"gradient {error:.1e} against τ_k² − τ_{{k+1}}² = {gap:.1e} and μ/Σλ = {relative:.1e}"
    if not gap > 0:
        return Tolerance(np.inf, TRAINED_CAP, basis)
    excess = 10 * error**2 / (4 * flattest)
    return Tolerance(float(np.sqrt(3 * excess * kept / (relative * gap))), TRAINED_CAP, basis)


def _change_tolerance(problem: Problem, decay: float) -> Tolerance:
    """As for a change of code without a penalty, and the rounding of the penalty itself."""
    minimum = penalised_objective(problem, _shrunk_params(problem, decay), decay, product_penalty)
    error, features = 2 * CONDITION * pass_rounding(problem), problem.x.shape[1]
    basis = f"rounding {error:.1e} of a row against J = {minimum:.1e}"
    rows = (2 * np.sqrt(minimum) * error + error**2) / minimum
    return Tolerance(
        float(rows + 4 * CONDITION**2 * EPSILON * np.sqrt(features)), CLOSED_FORM_CAP, basis
    )


def _shrunk(problem: Problem, decay: float) -> Evidence:
    solution = train_penalised(problem, product=decay)
    residual, control = (
        map_error(solution.params, shrunk_map(problem, gains(problem.pca.eigenvalues, decay)))
        for gains in (product_gains, sum_gains)
    )
    return Evidence(residual, control, unfinished(solution))


def _unchanged(problem: Problem, decay: float) -> Evidence:
    params = _shrunk_params(problem, decay)
    with jax.enable_x64(True):
        change = invertible(problem.key, problem.code)
        changed = change_code(params, change, jnp.linalg.inv(change))

    def relative_change(penalty: Penalty) -> float:
        before, after = (
            penalised_objective(problem, each, decay, penalty) for each in (params, changed)
        )
        return abs(after - before) / before

    return Evidence(relative_change(product_penalty), relative_change(penalties.l2()))


def _shrunk_params(problem: Problem, decay: float) -> Params:
    """Parameters that attain the minimum: V_k, and V_kᵀ shrunk, about the mean."""
    components = leading_components(problem.pca, problem.code)
    gains = product_gains(problem.pca.eigenvalues, decay)[: problem.code]
    with jax.enable_x64(True):
        params = pca_params(jnp.asarray(components), jnp.asarray(problem.pca.mean))
        decoder = params["decoder"]["layer_0"]
        shrunk = {**decoder, "kernel": jnp.asarray(gains[:, None] * components)}
        return {**params, "decoder": {"layer_0": shrunk}}
