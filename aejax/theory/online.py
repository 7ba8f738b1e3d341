"""The theorem that Oja's and Sanger's rules are the linear autoencoder, learned on line.

Each unit learns from what its code and the reconstruction tell it: ΔW = η (x − x̂) yᵀ, y = Wᵀx,
with x̂ = W y (Oja), or with the reconstruction of unit j from units 1 … j alone (Sanger). Oja's is
the gradient of the squared error with respect to the decoder alone, at tied weights W_d = W_eᵀ.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float64, Int, Shaped

from aejax.models import pca_params
from aejax.theory.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
    refuse,
)
from aejax.theory.components import component_sines
from aejax.theory.measures import projector
from aejax.theory.moments import real_matrix
from aejax.theory.optimum import swapped_components
from aejax.theory.pca import leading_components
from aejax.theory.problem import EPSILON, Problem, rounding
from aejax.theory.tolerances import TRAINED_CAP, undetermined_map
from aejax.types import Array, Key, Params

STEP = 0.5
"""Step of the averaged rules, for λ_1 = 1: half of what keeps the fastest mode, 2λ_1, stable."""

MAX_STEPS, MAX_WORK = 30_000, 1e11
"""Most steps, and most multiplications of them all: about ten seconds on two cores."""

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


class Learned(NamedTuple):
    """Where a rule ended: W [n, k], after how many steps, and whether it had come to rest."""

    kernel: Float64[np.ndarray, "features code"]
    steps: int
    converged: bool


def hebbian_update(
    kernel: Float[Array, "features code"],
    rows: Float[Array, "rows features"],
    listens: Float[Array, "code code"],
) -> Float[Array, "features code"]:
    """RᵀR W − W (M ∘ WᵀRᵀR W): one update of a batch, its rows centred and divided by √batch.

    M_ij = 1 where unit j subtracts unit i's reconstruction from its input: all ones for Oja, the
    upper triangle for Sanger, the diagonal for units that learn alone. With T of the moments in the
    place of a batch it is the update's expectation over the data.
    """
    code = rows @ kernel
    return rows.T @ code - kernel @ (listens * (code.T @ code))


def learn_online(
    key: Key,
    batches: Iterable[Shaped[np.ndarray | Array, "..."]],
    code: int,
    *,
    horizon: float,
    ordered: bool = True,
) -> Params:
    """Learn a linear autoencoder from a stream, by Sanger's rule or Oja's, in float64.

    Step t has size h/(h + t), for rows that are centred with the mean of all seen so far and
    divided by the root of their total variance: Σ η = ∞ and Σ η² < ∞, as convergence with
    probability one requires. The squared sines of angles fall as 1/t where h exceeds
    Σλ/(2 × the least gap of λ_1 … λ_{k+1}), else more slowly; a larger h lets noise in for longer.

    Args:
        key: for the start, a random orthonormal basis.
        batches: each [examples, features], of any size; their order must not drift.
        code: k, from one to the number of features.
        horizon: h > 0, in batches.
        ordered: Sanger's rule; Oja's where false.

    Returns:
        Params of `aejax.linear(n, k)`, W_e = W and W_d = Wᵀ, for x itself.

    Raises:
        ValueError: for no batch, or a batch that is not a finite real matrix.

    Source: Oja 1982; Sanger 1989.
    """
    kernel, mean, listens = None, 0.0, np.ones((code, code))
    with jax.enable_x64(True):
        for step, (rows, mean_so_far) in enumerate(_unit_rows(batches)):
            kernel = _start(key, rows.shape[1], code) if kernel is None else kernel
            update = _update(kernel, rows, np.triu(listens) if ordered else listens)
            kernel, mean = kernel + horizon / (horizon + step) * update, mean_so_far
        if kernel is None:
            raise ValueError("a stream must hold one batch or more, got none")
        return pca_params(kernel.T, jnp.asarray(mean))


def online_rules(problem: Problem) -> tuple[Certificate, ...]:
    """Oja's rule finds the principal subspace, and Sanger's the components themselves.

    The averaged rule, the update's expectation over the data, is checked from a random orthonormal
    start; a stream (`learn_online`) that stays bounded ends where it ends with probability one
    (Ljung 1977). Along v_l, a small error of Sanger's w_j shrinks by λ_j − λ_l for l > j, by λ_j
    for l < j, and by 2λ_j for l = j: all positive in this order alone. One of Oja's shrinks by
    λ_j − λ_l for j ≤ k < l, and by λ_i + λ_j where it is not orthonormal.
    So Oja's rule wants λ_k > λ_{k+1} and rank ≥ k, Sanger's λ_1 > … > λ_k > λ_{k+1} as well.

    Residuals: ‖W Wᵀ − V_k V_kᵀ‖₂; the greatest sine of the angle between w_i and v_i.
    Controls: units that learn alone, each by Oja's rule of one unit, and all find v_1 (one unit is
    always alone: there it is v_2); Oja's rule in the place of Sanger's, which finds the subspace
    without the order.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, of Oja's rule and of Sanger's.

    Source: Oja 1982, 1989; Sanger 1989.
    """
    if obstacle := undetermined_map(problem):
        return refuse((OJA, SANGER), obstacle)
    ones = np.ones((problem.code, problem.code))
    oja = cache(lambda: run_rule(problem, ones))
    gaps = -np.diff(_unit_eigenvalues(problem))
    (subspace, no_subspace), (order, no_order) = (
        (_tolerance(problem, float(gap)), _hopeless(problem, float(gap)))
        for gap in (gaps[-1], gaps.min())
    )
    no_order = _alone(problem) or no_order
    return (
        certify(OJA, subspace, lambda: _subspace(problem, oja()), obstacle=no_subspace),
        certify(SANGER, order, lambda: _order(problem, oja()), obstacle=no_order),
    )


def run_rule(
    problem: Problem,
    listens: Float64[np.ndarray, "code code"],
    *,
    max_steps: int | None = None,
) -> Learned:
    """The averaged rule of a mask M, see `hebbian_update`, until its update is rounding.

    Args:
        problem: the user's data, which varies, code size k ≤ n, and key for the start.
        listens: M [k, k].
        max_steps: stop here at the latest; None means `most_steps`.

    Returns:
        What was `Learned`.

    Source: Sanger 1989 (M upper triangular); Oja 1989 (all ones).
    """
    with jax.enable_x64(True):
        rows = jnp.asarray(problem.moments.factor / np.sqrt(problem.pca.eigenvalues[0]))
        start = _start(problem.key, rows.shape[1], problem.code)
        rest = update_rounding(problem)
        most = most_steps(problem) if max_steps is None else max_steps
        kernel, steps, size = _average(start, rows, jnp.asarray(listens), rest, most)
        return Learned(np.asarray(kernel), int(steps), float(size) <= rest)


def most_steps(problem: Problem) -> int:
    """Steps that a rule is given: 30 000, or fewer where each costs much."""
    return min(MAX_STEPS, int(MAX_WORK / (2 * problem.moments.factor.size * problem.code)))


def update_rounding(problem: Problem) -> float:
    """Norm at which an update is rounding, for λ_1 = 1: 16 ε √(nk), a few roundings an entry."""
    return 16 * EPSILON * float(np.sqrt(problem.x.shape[1] * problem.code))


def _unit_rows(
    batches: Iterable[Shaped[np.ndarray | Array, "..."]],
) -> Iterator[tuple[Float64[np.ndarray, "rows n"], Float64[np.ndarray, " n"]]]:
    """Each batch as rows of a matrix of norm about one, and the mean of all seen so far."""
    mean, seen, power = 0.0, 0, 0.0
    for batch in batches:
        x = real_matrix(batch)
        seen += len(x)
        mean = mean + (x - mean).sum(axis=0) / seen
        x = x - mean
        power += (float(np.vdot(x, x)) - len(x) * power) / seen
        yield x / np.sqrt(len(x) * power or 1), mean


_update = jax.jit(hebbian_update)


def _start(key: Key, features: int, code: int) -> Float64[Array, "features code"]:
    return jnp.linalg.qr(jax.random.normal(key, (features, code), jnp.float64))[0]


@jax.jit
def _average(
    start: Float64[Array, "features code"],
    rows: Float64[Array, "rows features"],
    listens: Float64[Array, "code code"],
    rest: float | Array,
    max_steps: int | Array,
) -> tuple[Float64[Array, "features code"], Int[Array, ""], Float64[Array, ""]]:
    def step(carry: tuple) -> tuple:
        kernel, steps, _ = carry
        update = hebbian_update(kernel, rows, listens)
        return kernel + STEP * update, steps + 1, jnp.linalg.norm(update)

    def moving(carry: tuple) -> Array:
        _, steps, size = carry
        return (size > rest) & (steps < max_steps)

    return jax.lax.while_loop(moving, step, (start, jnp.asarray(0), jnp.asarray(jnp.inf)))


def _unit_eigenvalues(problem: Problem) -> Float64[np.ndarray, " values"]:
    """λ_1 … λ_{k+1}, divided by λ_1; zero beyond the last."""
    eigenvalues = np.pad(problem.pca.eigenvalues, (0, 1))[: problem.code + 1]
    return eigenvalues / eigenvalues[0]


def _alone(problem: Problem) -> Obstacle | None:
    if problem.code > 1:
        return None
    return Obstacle("not applicable", "code 1: Sanger's rule is Oja's")


def _hopeless(problem: Problem, gap: float) -> Obstacle | None:
    """A gap so small that the update would still move after all steps: ln(1/rest)/(η gap) > max."""
    steps = -np.log(update_rounding(problem)) / STEP
    most = most_steps(problem)
    if steps <= gap * most:
        return None
    needed = f"{steps / gap:.0e}" if gap > 0 else "infinitely many"
    reason = f"eigengap/λ_1 = {gap:.1e}: the rule needs {needed} steps, and has {most}"
    return Obstacle("not identifiable", reason)


def _tolerance(problem: Problem, gap: float) -> Tolerance:
    """4 g/gap for λ_1 = 1, and 2 ρ/(σ gap) of the components that it is compared with.

    An update of norm g leaves, to first order, g/(λ_j − λ_l) in the part of w_j along v_l, l > j;
    for l < j (Sanger) as much again, and g/λ_j; what is not orthonormal (Oja) is g/λ_k. No gap
    exceeds λ_k, so three g/gap is the sum. Angles of the SVD: ρ/(σ_i − σ_{i+1}) (Wedin 1972),
    where σ_i − σ_{i+1} ≥ (λ_i − λ_{i+1})/(2 σ_1).
    """
    rest, largest = update_rounding(problem), float(np.sqrt(problem.pca.eigenvalues[0]))
    error = 4 * rest + 4 * rounding(problem) / largest
    basis = f"update {rest:.1e}, rounding {rounding(problem):.1e} against eigengap/λ_1 {gap:.1e}"
    return Tolerance(error / gap if gap > 0 else np.inf, TRAINED_CAP, basis)


def _subspace(problem: Problem, oja: Learned) -> Evidence:
    target = projector(leading_components(problem.pca, problem.code))

    def error(kernel: Float64[np.ndarray, "features code"]) -> float:
        return float(np.linalg.norm(kernel @ kernel.T - target, ord=2))

    if problem.code == 1:
        other = swapped_components(problem).T
    else:
        other = run_rule(problem, np.eye(problem.code), max_steps=oja.steps).kernel
    return Evidence(error(oja.kernel), error(other), _unfinished(oja))


def _order(problem: Problem, oja: Learned) -> Evidence:
    sanger = run_rule(problem, np.triu(np.ones((problem.code, problem.code))))

    def error(kernel: Float64[np.ndarray, "features code"]) -> float:
        units = (kernel / np.linalg.norm(kernel, axis=0)).T
        return float(component_sines(units, problem.pca).max())

    return Evidence(error(sanger.kernel), error(oja.kernel), _unfinished(sanger))


def _unfinished(learned: Learned) -> str:
    return "" if learned.converged else f"the rule still moved after {learned.steps} steps"
