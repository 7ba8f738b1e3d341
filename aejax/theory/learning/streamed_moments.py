"""The theorem that a stream of batches, or many devices, know all that the whole data knows.

A linear autoencoder sees nothing of data but its moments, and moments of parts merge into those of
the whole. So PCA needs one pass, in memory that grows with the square of the features and not with
the examples, and parts may be merged in any order and by any tree.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.analysis.centring import two_sum
from aejax.theory.analysis.moments import Moments, moments, triangular_factor
from aejax.theory.analysis.pca import PCA, pca_of_moments
from aejax.theory.checking.certificate import Certificate, Evidence, Statement, Tolerance, certify
from aejax.theory.checking.problem import EPSILON, Problem, last_component, pca_obstacle, rounding
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.types import Array

BATCHES = 16

MERGED = Statement(
    claim="moments of batches, merged in any order, are the moments of all the data",
    formula="m S = m_a S_a + m_b S_b + (m_a m_b/m) δδᵀ, δ = x̄_b − x̄_a; m x̄ = m_a x̄_a + m_b x̄_b",
    source="Chan, Golub & LeVeque 1979",
)
STREAMED = Statement(
    claim="the linear autoencoder of k units made from a stream is PCA's of all the data",
    formula="W S W = V_k Λ_k V_kᵀ, both W and S from merged moments",
    source="Chan, Golub & LeVeque 1979; Eckart & Young 1936",
)


def merge_moments(first: Moments, second: Moments) -> Moments:
    """Moments of two parts of the data together, from the moments of each.

    With shares p = m_a/m and q = m_b/m, and drift δ = x̄_b − x̄_a,

        S = p S_a + q S_b + pq δδᵀ,   x̄ = x̄_a + q δ.

    For Σ_a (x − x̄)(x − x̄)ᵀ = m_a (S_a + q² δδᵀ), as x̄_a − x̄ = −q δ; for b likewise with p²; and
    p q² + q p² = pq. The factor of S is that of the rows √p T_a, √q T_b and √(pq) δᵀ stacked, by
    QR: S itself is never formed. The merge is associative and commutative up to rounding.

    Args:
        first: moments of some examples.
        second: moments of other examples, of the same features.

    Returns:
        The `Moments` of all of them.

    Raises:
        ValueError: where the features differ in number.

    Source: Chan, Golub & LeVeque 1979 (updating formulae for variances).
    """
    if len(first.mean) != len(second.mean):
        raise ValueError(
            "batches must have the same number of features, "
            f"got {len(first.mean)} and {len(second.mean)}"
        )
    examples = first.examples + second.examples
    p, q = first.examples / examples, second.examples / examples
    drift = (second.mean - first.mean) + (second.residue - first.residue)
    rows = np.concatenate(
        [np.sqrt(p) * first.factor, np.sqrt(q) * second.factor, np.sqrt(p * q) * drift[None]]
    )
    magnitude = float(np.hypot(np.sqrt(p) * first.magnitude, np.sqrt(q) * second.magnitude))
    mean, residue = two_sum(first.mean, first.residue + q * drift)
    return Moments(examples, mean, _factor(rows, examples), magnitude, residue)


def moments_of_stream(batches: Iterable[Shaped[np.ndarray | Array, "..."]]) -> Moments:
    """Moments of all the data from one pass over batches, each of which may then be forgotten.

    Memory is a few copies of the largest batch and of an n × n matrix. A batch costs a QR of its
    own rows and one of 2n rows, so batches of n examples or more waste least.

    Args:
        batches: each [examples, features], of any size from one example, any real dtype.

    Returns:
        `Moments`, float64, up to rounding those of the batches concatenated.

    Raises:
        ValueError: for no batch, a batch that is not a finite real matrix, or features that differ.

    Source: Chan, Golub & LeVeque 1979; Demmel et al. 2012.
    """
    parts = map(moments, batches)
    first = next(parts, None)
    if first is None:
        raise ValueError("a stream must hold one batch or more, got none")
    return functools.reduce(merge_moments, parts, first)


def merge_in_pairs(parts: Sequence[Moments]) -> Moments:
    """Moments of all parts by a binary tree, as devices reduce them; one part or more."""
    level = list(parts)
    while len(level) > 1:
        pairs = [level[start : start + 2] for start in range(0, len(level), 2)]
        level = [functools.reduce(merge_moments, pair) for pair in pairs]
    return level[0]


def streamed_moments(problem: Problem) -> tuple[Certificate, ...]:
    """A stream's merged moments are those of all the data, and so is the autoencoder made of them.

    Merged: for every split of the data into parts and every order and tree of merges. Checked in
    sixteen batches of unequal size, merged one after the other, backwards, and in pairs, against
    S and x̄ by their definition (residual: ‖ΔS‖₂/λ_1 or ‖Δx̄‖/σ_1, the greater). It does not
    depend on the code. Streamed: the best map W = V_k V_kᵀ and its reconstructions' second
    moments, relative to λ_1. It wants λ_k > λ_{k+1}; where rank ≤ k, W S W is S itself.

    Control: merges without the mean correction δδᵀ, which give the covariance within batches. The
    batches come in the order of the first component, as a stream that drifts: then that covariance
    is less than S along v_1 whatever the data is, and by more the more batches there are.

    Args:
        problem: the user's data and code size.

    Returns:
        Two certificates, merged and streamed.

    Source: Chan, Golub & LeVeque 1979.
    """
    merges = functools.cache(lambda: _merges(problem))
    merged, streamed = _merged_tolerance(problem), _streamed_tolerance(problem)
    constant, unfit = pca_obstacle(problem._replace(code=0)), pca_obstacle(problem)
    return (
        certify(MERGED, merged, lambda: _merged(problem, merges()), obstacle=constant),
        certify(STREAMED, streamed, lambda: _streamed(problem, merges()), obstacle=unfit),
    )


def _factor(rows: Float64[np.ndarray, "rows n"], examples: int) -> Float64[np.ndarray, "r n"]:
    """Triangular factor [min(m, n), n] of stacked rows, one more than m where m < n.

    Centred examples have rank below m, so the least singular value of m + 1 rows is nothing; the
    last row of their triangle may be something, where a leading feature is constant.
    """
    factor = triangular_factor(rows)
    if len(factor) <= examples:
        return factor
    _, singular_values, components = np.linalg.svd(factor, full_matrices=False)
    return triangular_factor((singular_values[:, None] * components)[:examples])


def _drifting_parts(problem: Problem) -> list[Moments]:
    """Moments of batches of increasing size, of the data in the order of its first component."""
    examples = len(problem.x)
    scores = (problem.x - problem.pca.mean) @ problem.pca.components[0]
    bounds = np.ceil(examples * np.square(np.arange(1, BATCHES) / BATCHES)).astype(int)
    bounds = np.unique(bounds[bounds < examples])
    return [moments(batch) for batch in np.split(problem.x[np.argsort(scores)], bounds)]


class _Merges(NamedTuple):
    """Moments in every order, and merged as if all batches had the same mean: no drift is left."""

    orders: tuple[Moments, ...]
    uncorrected: Moments


def _merges(problem: Problem) -> _Merges:
    parts = _drifting_parts(problem)
    forwards = functools.reduce(merge_moments, parts)
    backwards = functools.reduce(merge_moments, parts[::-1])
    alike = [part._replace(mean=problem.moments.mean) for part in parts]
    return _Merges((forwards, backwards, merge_in_pairs(parts)), merge_in_pairs(alike))


def _stream_rounding(problem: Problem) -> float:
    """Rounding of σ by way of batches: ρ + ε √B (√3 n σ_1 + ‖x‖_F/√m).

    The batches' QR factorisations, weighted by their shares, add up to ρ in the root mean square;
    each of B merges adds that of 2n + 1 rows, and a mean.
    """
    largest = float(np.sqrt(problem.pca.eigenvalues[0]))
    merge = np.sqrt(3) * problem.x.shape[1] * largest + problem.moments.magnitude
    return rounding(problem) + EPSILON * float(np.sqrt(BATCHES) * merge)


def _merged_tolerance(problem: Problem) -> Tolerance:
    """4 τ/σ_1, τ the rounding of a stream: 2 τ/σ_1 of merged S, and as much of S as defined."""
    error, largest = _stream_rounding(problem), float(np.sqrt(problem.pca.eigenvalues[0]))
    basis = f"rounding {error:.1e} of merged singular values against σ_1 = {largest:.1e}"
    value = 4 * error / largest if largest > 0 else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def _streamed_tolerance(problem: Problem) -> Tolerance:
    """8 (τ/σ_1) σ_k/(σ_k − σ_{k+1}), the merged tolerance by how a cut at k magnifies it.

    First order: an error e of R turns v_i, i ≤ k, towards v_j, j > k, by e/(σ_i − σ_j) at most,
    which moves R V_k V_kᵀ by e σ_i/(σ_i − σ_j), greatest at i = k; e itself comes on top.
    """
    last = max(last_component(problem), 0)
    kept, left = np.sqrt(np.pad(problem.pca.eigenvalues, (0, 1))[last : last + 2])
    merged = _merged_tolerance(problem)
    basis = f"{merged.basis} and the gap σ_k − σ_{{k+1}} = {kept - left:.1e}"
    value = 2 * merged.value * float(kept / (kept - left)) if kept > left else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def _merged(problem: Problem, merges: _Merges) -> Evidence:
    mean = problem.x.mean(axis=0)
    correction = (problem.x - mean).mean(axis=0)
    centred = problem.x - mean - correction
    s, largest = centred.T @ centred / len(centred), problem.pca.eigenvalues[0]

    def error(merged: Moments) -> float:
        of_s = np.linalg.norm(merged.factor.T @ merged.factor - s, ord=2) / largest
        of_mean = np.linalg.norm(merged.mean - mean - correction) / np.sqrt(largest)
        return float(max(of_s, of_mean))

    return Evidence(max(map(error, merges.orders)), error(merges.uncorrected))


def _streamed(problem: Problem, merges: _Merges) -> Evidence:
    own = _reconstructed_moments(problem.pca, problem.code)

    def error(merged: Moments) -> float:
        streamed = _reconstructed_moments(pca_of_moments(merged), problem.code)
        return float(np.linalg.norm(streamed - own, ord=2) / problem.pca.eigenvalues[0])

    return Evidence(max(map(error, merges.orders)), error(merges.uncorrected))


def _reconstructed_moments(analysis: PCA, code: int) -> Float64[np.ndarray, "n n"]:
    """V_k Λ_k V_kᵀ, the second moments of PCA's reconstructions."""
    rows = np.sqrt(analysis.eigenvalues[:code, None]) * analysis.components[:code]
    return rows.T @ rows
