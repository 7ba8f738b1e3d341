"""Theorem on streams: moments of batches, merged in any order, give the PCA of all data.

A linear autoencoder depends on its data only through the moments, and moments of parts can be
merged. So PCA needs one pass, in memory quadratic in n and independent of m, and the moments of
batches or devices may be merged in any order and by any tree.
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

NUM_BATCHES = 16  # fewer if there are few examples

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
    """Merge the moments of two parts of the data.

    With shares p = m_a/m and q = m_b/m, and drift δ = x̄_b − x̄_a,

        S = p S_a + q S_b + pq δδᵀ,   x̄ = x̄_a + q δ.

    This follows from Σ_a (x − x̄)(x − x̄)ᵀ = m_a (S_a + q² δδᵀ), as x̄_a − x̄ = −q δ; for b
    likewise with p²; and p q² + q p² = pq. The factor of S is the QR factor of the stacked rows √p
    T_a, √q T_b and √(pq) δᵀ; S itself is never formed. The merge is associative and commutative up
    to rounding.

    Args:
        first: moments of some examples.
        second: moments of other examples with the same features.

    Returns:
        The `Moments` of all these examples.

    Raises:
        ValueError: if the numbers of features differ.

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
    """Moments of all data from one pass over batches, which need not be stored.

    The memory is a few copies of the largest batch and of an n × n matrix. Each batch costs a QR of
    its rows and a QR of 2n rows, so batches of at least n examples are the most efficient.

    Args:
        batches: batches [examples, features] of one or more examples, of any real dtype.

    Returns:
        `Moments` in float64, up to rounding those of the concatenated batches.

    Raises:
        ValueError: if there is no batch, a batch is not a finite real matrix, or features differ.

    Source: Chan, Golub & LeVeque 1979; Demmel et al. 2012.
    """
    parts = map(moments, batches)
    first = next(parts, None)
    if first is None:
        raise ValueError("a stream must contain one batch or more, got none")
    return functools.reduce(merge_moments, parts, first)


def merge_in_pairs(parts: Sequence[Moments]) -> Moments:
    """Merge the moments of one or more parts by a binary tree, as a reduction over devices does."""
    level = list(parts)
    while len(level) > 1:
        pairs = [level[start : start + 2] for start in range(0, len(level), 2)]
        level = [functools.reduce(merge_moments, pair) for pair in pairs]
    return level[0]


def streamed_moments(problem: Problem) -> tuple[Certificate, ...]:
    """Merged moments of a stream, and the autoencoder computed from them, are those of all data.

    Merged: true for every split of the data and every order and tree of merges. It is checked on
    sixteen batches of unequal size, merged forwards, backwards and in pairs, and compared with S
    and x̄ by their definition (residual: max(‖ΔS‖₂/λ_1, ‖Δx̄‖/σ_1)); k does not matter.
    Streamed: the second moments of the reconstructions by the best map W = V_k V_kᵀ, relative to
    λ_1. It needs λ_k > λ_{k+1}; if rank ≤ k, W S W is S itself.

    Control: merges without the mean correction δδᵀ, which give the covariance within batches. The
    batches are sorted by the first component, as in a stream with drift, so that this covariance is
    smaller than S along v_1 for any data, and more so with more batches.

    Args:
        problem: the user's data and code size.

    Returns:
        Two certificates: merged and streamed.

    Source: Chan, Golub & LeVeque 1979.
    """
    merges = functools.cache(lambda: _merges(problem))
    merged, streamed = _merged_tolerance(problem), _streamed_tolerance(problem)
    no_variance, no_pca = pca_obstacle(problem._replace(code=0)), pca_obstacle(problem)
    return (
        certify(MERGED, merged, lambda: _merged_evidence(problem, merges()), obstacle=no_variance),
        certify(STREAMED, streamed, lambda: _streamed_evidence(problem, merges()), obstacle=no_pca),
    )


def _factor(rows: Float64[np.ndarray, "rows n"], examples: int) -> Float64[np.ndarray, "r n"]:
    """Triangular factor [min(m, n), n] of stacked rows, which may be m + 1 if m < n.

    Centred examples have rank below m, so the smallest singular value of m + 1 rows is zero and is
    dropped; the last row of their triangle need not be zero if a leading feature is constant.
    """
    factor = triangular_factor(rows)
    if len(factor) <= examples:
        return factor
    _, singular_values, components = np.linalg.svd(factor, full_matrices=False)
    return triangular_factor((singular_values[:, None] * components)[:examples])


def _drifting_parts(problem: Problem) -> list[Moments]:
    """Moments of batches of increasing size, of the data sorted by its first component."""
    examples = len(problem.x)
    scores = (problem.x - problem.pca.mean) @ problem.pca.components[0]
    bounds = np.ceil(examples * np.square(np.arange(1, NUM_BATCHES) / NUM_BATCHES)).astype(int)
    bounds = np.unique(bounds[bounds < examples])
    return [moments(batch) for batch in np.split(problem.x[np.argsort(scores)], bounds)]


class _Merges(NamedTuple):
    """Moments merged in several orders, and merged as if all batches had the same mean."""

    orders: tuple[Moments, ...]
    uncorrected: Moments


def _merges(problem: Problem) -> _Merges:
    parts = _drifting_parts(problem)
    forwards = functools.reduce(merge_moments, parts)
    backwards = functools.reduce(merge_moments, parts[::-1])
    with_equal_means = [part._replace(mean=problem.moments.mean) for part in parts]
    return _Merges((forwards, backwards, merge_in_pairs(parts)), merge_in_pairs(with_equal_means))


def _stream_rounding(problem: Problem) -> float:
    """Rounding of σ computed from B batches: ρ + ε √B (√3 n σ_1 + ‖x‖_F/√m).

    The errors of the batches' QR factorisations, weighted by their shares, have the root mean
    square ρ = `rounding`; each of the B merges adds the rounding of 2n + 1 rows and of a mean.
    """
    largest = float(np.sqrt(problem.pca.eigenvalues[0]))
    merge = np.sqrt(3) * problem.x.shape[1] * largest + problem.moments.magnitude
    return rounding(problem) + EPSILON * float(np.sqrt(NUM_BATCHES) * merge)


def _merged_tolerance(problem: Problem) -> Tolerance:
    """4 τ/σ_1, with τ = `_stream_rounding`: 2 τ/σ_1 each for the merged S and S by definition."""
    error, largest = _stream_rounding(problem), float(np.sqrt(problem.pca.eigenvalues[0]))
    basis = f"rounding {error:.1e} of merged singular values against σ_1 = {largest:.1e}"
    value = 4 * error / largest if largest > 0 else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def _streamed_tolerance(problem: Problem) -> Tolerance:
    """8 (τ/σ_1) σ_k/(σ_k − σ_{k+1}): the merged tolerance, amplified by the truncation at k.

    To first order, an error e of R rotates v_i, i ≤ k, towards v_j, j > k, by at most
    e/(σ_i − σ_j), which adds e σ_i/(σ_i − σ_j), maximal at i = k, to the error e of R V_k V_kᵀ.
    """
    last = max(last_component(problem), 0)
    kept, lost = np.sqrt(np.pad(problem.pca.eigenvalues, (0, 1))[last : last + 2])
    merged = _merged_tolerance(problem)
    basis = f"{merged.basis} and the gap σ_k − σ_{{k+1}} = {kept - lost:.1e}"
    value = 2 * merged.value * float(kept / (kept - lost)) if kept > lost else np.inf
    return Tolerance(value, CLOSED_FORM_CAP, basis)


def _merged_evidence(problem: Problem, merges: _Merges) -> Evidence:
    mean = problem.x.mean(axis=0)
    correction = (problem.x - mean).mean(axis=0)
    centred = problem.x - mean - correction
    s, largest = centred.T @ centred / len(centred), problem.pca.eigenvalues[0]

    def error(merged: Moments) -> float:
        of_s = np.linalg.norm(merged.factor.T @ merged.factor - s, ord=2) / largest
        of_mean = np.linalg.norm(merged.mean - mean - correction) / np.sqrt(largest)
        return float(max(of_s, of_mean))

    return Evidence(max(map(error, merges.orders)), error(merges.uncorrected))


def _streamed_evidence(problem: Problem, merges: _Merges) -> Evidence:
    own = _reconstructed_moments(problem.pca, problem.code)

    def error(merged: Moments) -> float:
        streamed = _reconstructed_moments(pca_of_moments(merged), problem.code)
        return float(np.linalg.norm(streamed - own, ord=2) / problem.pca.eigenvalues[0])

    return Evidence(max(map(error, merges.orders)), error(merges.uncorrected))


def _reconstructed_moments(analysis: PCA, code: int) -> Float64[np.ndarray, "n n"]:
    """V_k Λ_k V_kᵀ, the second moments of PCA's reconstructions."""
    rows = np.sqrt(analysis.eigenvalues[:code, None]) * analysis.components[:code]
    return rows.T @ rows
