"""Theorem on online PCA by Hebbian rules: Oja's finds the subspace, Sanger's the components."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import leading_units, linear
from aejax.objectives import objective
from aejax.theory.analysis.pca import leading_components
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.checking.distances import projector
from aejax.theory.checking.problem import EPSILON, Problem, rounding
from aejax.theory.checking.tolerances import TRAINED_CAP, map_obstacle
from aejax.theory.optimum.optimum import swapped_components
from aejax.theory.parameters.components import component_sines
from aejax.theory.solvers.hebbian import STEP_SIZE, averaged_rule, hebbian_update, random_basis
from aejax.types import Array, Batch

MAX_STEPS, MAX_WORK = 30_000, 1e11
"""Maximum number of steps, and of multiplications in total: ten seconds on two cores."""

OJA = Statement(
    claim="Oja's rule ends at an orthonormal basis of the principal subspace",
    formula="ΔW = η (S W − W WᵀS W) → W Wᵀ = V_k V_kᵀ",
    source="Oja 1982 (one unit), 1989 (the subspace); Yan, Helmke & Moore 1994 (convergence)",
)
SANGER = Statement(
    claim="Sanger's rule ends at the principal components, in order and up to sign",
    formula="ΔW = η (S W − W triu(WᵀS W)) → column i of W is ±v_i",
    source="Sanger 1989",
)


class RuleResult(NamedTuple):
    """Result of a rule: final W [n, k], number of steps, and whether it converged."""

    kernel: Float64[np.ndarray, "features code"]
    steps: int
    converged: bool


def online_rules(problem: Problem) -> tuple[Certificate, ...]:
    """Oja's rule converges to the principal subspace, and Sanger's rule to the components.

    The averaged rule, which applies the expected update over the data, starts at a random
    orthonormal basis; the rule on a stream (`learn_online`), if bounded, converges to the same
    limit with probability one (Ljung 1977). Along v_l, a small error of Sanger's w_j decays at rate
    λ_j − λ_l for l > j, λ_j for l < j, and 2λ_j for l = j, all positive only if column j is v_j. An
    error of Oja's rule decays at λ_j − λ_l for j ≤ k < l, and at λ_i + λ_j towards orthonormality.
    So Oja's rule needs λ_k > λ_{k+1} and rank ≥ k, Sanger's rule also λ_1 > … > λ_k.

    Residuals: ‖W Wᵀ − V_k V_kᵀ‖₂; the maximum sine of the angle between w_i and v_i. Each update is
    also compared with its definition at a random basis: minus half the gradient of
    `aejax.objective` with respect to W_d; for unit j in Sanger's rule, with the first j units only.

    Controls: units that learn independently by Oja's rule of one unit and all find v_1 (with a
    single unit: v_2); Oja's rule instead of Sanger's, which finds the subspace, but not the order.

    If the eigengap requires too many steps, the rule runs with momentum, which does not change its
    stationary points; the certificates state this.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, for Oja's rule and for Sanger's rule.

    Source: Oja 1982; Oja 1989; Sanger 1989.
    """
    if obstacle := map_obstacle(problem):
        return refuse((OJA, SANGER), obstacle)
    ones = np.ones((problem.code, problem.code))
    gaps = unit_gaps(problem)
    last_gap, least_gap = float(gaps[-1]), float(gaps.min())
    oja = cache(lambda: run_rule(problem, ones, momentum=needed_momentum(problem, last_gap)))
    return (
        certify(
            OJA,
            _tolerance(problem, last_gap),
            lambda: _subspace_evidence(problem, oja()),
            obstacle=_too_many_steps(problem, last_gap),
        ),
        certify(
            SANGER,
            _tolerance(problem, least_gap),
            lambda: _order_evidence(problem, oja(), needed_momentum(problem, least_gap)),
            obstacle=_single_unit(problem) or _too_many_steps(problem, least_gap),
        ),
    )


def update_error(problem: Problem, *, ordered: bool) -> float:
    """‖ΔW/η + ½ (∂L/∂W_d)ᵀ‖ at W_d = Wᵀ, for a random orthonormal W and data scaled to λ_1 = 1.

    Args:
        problem: data, code size and key.
        ordered: True for Sanger's rule, where unit j uses L of the first j units; False for Oja's.

    Returns:
        The norm of the difference.

    Source: Oja 1982; Sanger 1989, §3.
    """
    code = problem.code
    mask = np.triu(np.ones((code, code))) if ordered else np.ones((code, code))
    with jax.enable_x64(True):
        rows = jnp.asarray(problem.moments.factor / np.sqrt(problem.pca.eigenvalues[0]))
        kernel = random_basis(problem.key, rows.shape[1], code)
        counts = [unit + 1 if ordered else code for unit in range(code)]
        gradients = [_decoder_gradient(kernel, rows, jnp.asarray(units)) for units in counts]
        defined = jnp.stack([-each[unit] / 2 for unit, each in enumerate(gradients)], axis=1)
        return float(jnp.linalg.norm(hebbian_update(kernel, rows, jnp.asarray(mask)) - defined))


@jax.jit
def _decoder_gradient(kernel: Array, rows: Array, units: Array) -> Array:
    """∂L/∂W_d of the autoencoder of the first `units` units, at W_d = W_eᵀ."""
    model = leading_units(linear(*kernel.shape, bias=False), units)
    encoder, batch = {"layer_0": {"kernel": kernel}}, Batch(np.sqrt(len(rows)) * rows)

    def loss(decoder: Array) -> Array:
        params = {"encoder": encoder, "decoder": {"layer_0": {"kernel": decoder}}}
        return objective(model, losses.squared)(params, batch, jax.random.key(0))[0]

    return jax.grad(loss)(kernel.T)


def run_rule(
    problem: Problem,
    mask: Float64[np.ndarray, "code code"],
    *,
    momentum: float = 0.0,
    max_steps: int | None = None,
) -> RuleResult:
    """Run the averaged rule with mask M (see `hebbian_update`) until its update is rounding error.

    Args:
        problem: data that are not constant, code size k ≤ n, and key of the initial W.
        mask: M [k, k].
        momentum: β, see `averaged_rule`.
        max_steps: maximum number of steps (default: `max_rule_steps`).

    Returns:
        The result as `RuleResult`.

    Source: Sanger 1989 (M upper triangular); Oja 1989 (all ones).
    """
    with jax.enable_x64(True):
        rows = jnp.asarray(problem.moments.factor / np.sqrt(problem.pca.eigenvalues[0]))
        start = random_basis(problem.key, rows.shape[1], problem.code)
        floor = update_rounding(problem)
        limit = max_rule_steps(problem) if max_steps is None else max_steps
        kernel, steps, size = averaged_rule(start, rows, jnp.asarray(mask), momentum, floor, limit)
        return RuleResult(np.asarray(kernel), int(steps), float(size) <= floor)


def max_rule_steps(problem: Problem) -> int:
    """Maximum number of steps of a rule: 30 000, or fewer if a step is expensive."""
    return min(MAX_STEPS, int(MAX_WORK / (2 * problem.moments.factor.size * problem.code)))


def update_rounding(problem: Problem) -> float:
    """Rounding error of an update for λ_1 = 1: 16 ε √(nk), a few roundings per entry."""
    return 16 * EPSILON * float(np.sqrt(problem.x.shape[1] * problem.code))


def unit_gaps(problem: Problem) -> Float64[np.ndarray, " code"]:
    """(λ_i − λ_{i+1})/λ_1 for i = 1 … k; λ is zero beyond the last eigenvalue."""
    eigenvalues = np.pad(problem.pca.eigenvalues, (0, 1))[: problem.code + 1]
    return -np.diff(eigenvalues) / eigenvalues[0]


def _single_unit(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return None
    return Obstacle("not applicable", "code 1: Sanger's rule is Oja's")


def needed_momentum(problem: Problem, gap: float) -> float:
    """Momentum of `averaged_rule`: 1 if plain steps would be too many, else 0."""
    return float(_steps(problem, STEP_SIZE * gap) > max_rule_steps(problem))


def _steps(problem: Problem, rate: float) -> float:
    """Steps for an error of 1 to decay to the rounding of an update: ln(1/rounding)/rate."""
    return float(-np.log(update_rounding(problem)) / rate) if rate > 0 else np.inf


def _too_many_steps(problem: Problem, gap: float) -> Obstacle | None:
    """Obstacle if the gap needs too many steps even with momentum: twice those at rate √(η gap)."""
    needed, limit = 2 * _steps(problem, np.sqrt(STEP_SIZE * gap)), max_rule_steps(problem)
    if min(needed, _steps(problem, STEP_SIZE * gap)) <= limit:
        return None
    reason = f"eigengap/λ_1 = {gap:.1e}: the rule needs {needed:.0e} steps, the maximum is {limit}"
    return Obstacle("not identifiable", reason)


def _tolerance(problem: Problem, gap: float) -> Tolerance:
    """4 g/gap for λ_1 = 1, plus 4 ρ/(σ_1 gap), twice the bound for the reference components.

    To first order, an update of norm g leaves the component g/(λ_j − λ_l) of w_j along v_l, l > j;
    for l < j (Sanger) the same again, and g/λ_j; the error of orthonormality (Oja) is g/λ_k. No gap
    exceeds λ_k, so the sum is at most 3 g/gap. Angles of the SVD: ρ/(σ_i − σ_{i+1}) (Wedin 1972),
    where σ_i − σ_{i+1} ≥ (λ_i − λ_{i+1})/(2 σ_1).
    """
    floor, largest = update_rounding(problem), float(np.sqrt(problem.pca.eigenvalues[0]))
    error = 4 * floor + 4 * rounding(problem) / largest
    basis = f"update {floor:.1e}, rounding {rounding(problem):.1e} against eigengap/λ_1 {gap:.1e}"
    if needed_momentum(problem, gap):
        basis = f"{basis}; with momentum"
    return Tolerance(error / gap if gap > 0 else np.inf, TRAINED_CAP, basis)


def _subspace_evidence(problem: Problem, oja: RuleResult) -> Evidence:
    target = projector(leading_components(problem.pca, problem.code))

    def error(kernel: Float64[np.ndarray, "features code"]) -> float:
        return float(np.linalg.norm(kernel @ kernel.T - target, ord=2))

    if problem.code == 1:
        other = swapped_components(problem).T
    else:
        other = run_rule(problem, np.eye(problem.code), max_steps=oja.steps).kernel
    residual = max(error(oja.kernel), update_error(problem, ordered=False))
    return Evidence(residual, error(other), _doubt(oja))


def _order_evidence(problem: Problem, oja: RuleResult, momentum: float) -> Evidence:
    upper = np.triu(np.ones((problem.code, problem.code)))
    sanger = run_rule(problem, upper, momentum=momentum)

    def error(kernel: Float64[np.ndarray, "features code"]) -> float:
        units = (kernel / np.linalg.norm(kernel, axis=0)).T
        return float(component_sines(units, problem.pca).max())

    residual = max(error(sanger.kernel), update_error(problem, ordered=True))
    return Evidence(residual, error(oja.kernel), _doubt(sanger))


def _doubt(learned: RuleResult) -> str:
    return "" if learned.converged else f"the rule had not converged after {learned.steps} steps"
