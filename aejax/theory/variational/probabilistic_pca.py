"""Theorem: maximum likelihood of probabilistic PCA, and the Hessian's index at eigen-subsets."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float64

from aejax.theory.analysis.moments import equivalent_batch
from aejax.theory.analysis.pca import leading_components, least_loss
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
from aejax.theory.checking.problem import DEFLATION, EPSILON, Problem, pca_obstacle, rank
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP, unit_eigenvalues, unit_factor
from aejax.theory.noise.expectations import enumerable_problem
from aejax.theory.optimum.hessian_index import (
    LocalDerivatives,
    derivatives_at,
    index_evidence,
)
from aejax.theory.optimum.landscape import (
    EIGENVALUE_TOLERANCE,
    Landscape,
    landscape_or_obstacle,
    subsets,
)
from aejax.theory.variational.factor_likelihood import (
    axes_scaled_by_signal,
    expectation_maximisation,
    least_negative_log_likelihood,
    likelihood_and_gradient,
    negative_log_likelihood,
)

LIKELIHOOD = Statement(
    claim="probabilistic PCA is most likely at the scaled principal axes, up to a rotation",
    formula="W = Rᵀ (Λ_k − σ² I)^½ V_kᵀ, σ² = Σ_{i>k} λ_i/(n − k): "
    "−log p = ½ [n log 2π + Σ_{i≤k} log λ_i + (n − k) log σ² + n]",
    source="Tipping & Bishop 1999",
)
SADDLES = Statement(
    claim="every other set of eigenvectors is a saddle of the likelihood, of this index",
    formula="∇ log p = 0 at I; −log p has #{i∈I, j∉I: λ_j > λ_i} + (k − r) #{j∉I: λ_j > σ²} "
    "negative and r(r − 1)/2 + r(k − r) zero curvatures, r = |I|",
    source="Tipping & Bishop 1999; the counts derived here",
)


class EigenSubset(NamedTuple):
    """A set I of eigenvectors at which the likelihood is stationary.

    indices:  I, in ascending order.
    variance: σ², the mean of the other eigenvalues.
    """

    indices: tuple[int, ...]
    variance: float


def probabilistic_pca(problem: Problem) -> tuple[Certificate, ...]:
    """Maximum of the likelihood of x = z W + e, z ~ N(0, I_k), e ~ N(0, σ² I_n), for Σλ = 1.

    x is normal with covariance C = σ² I + WᵀW, so −log p = ½ [n log 2π + log det C + tr S C⁻¹] in
    the mean over the data. At W = Rᵀ (Λ_I − σ² I)^½ V_Iᵀ, C has the eigenvalues λ_i, i ∈ I, and σ²;
    it is stationary in W, and in σ² if that is the mean of the other eigenvalues. Among all sets I
    of at most k indices the k leading ones have the least value, since a logarithm is concave.

    Index: in units of σ, U = W/σ. A unit on i moved towards j ∉ I has the curvature
    (λ_i − λ_j)/λ_i; an unused unit towards j ∉ I has 1 − λ_j/σ²; a rotation of two units, one of
    them used, changes nothing: r(r − 1)/2 + r(k − r) zeros; norms of units and log σ² have positive
    curvature.

    Verification: −log p is evaluated on examples with the data's moments by least squares, at a
    random R, with its gradient in W, in units of σ, and log σ².
    EM from a random start must not reach a lower value; if n > 8, it uses the 8 features of largest
    variance. The index is that of `jax.hessian`, with `jax.scipy.stats.multivariate_normal`, at
    every set I for which W is real, min_I λ_i > σ², on the problem of `landscape_index`.

    Controls: σ² as a mean over all n axes instead of n − k; the curvature closest to zero, which an
    index that is wrong by one would count as zero.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the maximum, and the index at every set.

    Source: Tipping & Bishop 1999.
    """
    return (*_likelihood_certificate(problem), _index_certificate(problem))


def unbounded_likelihood(problem: Problem) -> Obstacle | None:
    """Obstacle if k components contain all variance: the likelihood is unbounded as σ² → 0."""
    if problem.code < rank(problem):
        return pca_obstacle(problem)
    reason = f"rank {rank(problem)} ≤ code {problem.code}: the likelihood is unbounded as σ² → 0"
    return pca_obstacle(problem) or Obstacle("not applicable", reason)


def noise_variance_of_likelihood(problem: Problem) -> float:
    """σ² = Σ_{i>k} λ_i/(n − k) for Σλ = 1: the mean of the discarded eigenvalues."""
    lost = least_loss(problem.pca, problem.code) / least_loss(problem.pca, 0)
    return lost / max(problem.x.shape[1] - problem.code, 1)


def stationary_subsets(case: Landscape) -> list[EigenSubset]:
    """Sets of at most k directions whose eigenvalues all exceed the mean σ² of the others.

    Sets are omitted if a curvature has no sign: `gap_of_variance` must exceed the difference of two
    distinct eigenvalues.
    """
    chosen = [EigenSubset(each, mean_of_others(case, each)) for each in subsets(case)]
    return [
        each
        for each in chosen
        if each.variance > 0
        and np.all(case.eigenvalues[list(each.indices)] > each.variance)
        and gap_of_variance(case, each) > EIGENVALUE_TOLERANCE
    ]


def gap_of_variance(case: Landscape, subset: EigenSubset) -> float:
    """Least distance of σ² from the eigenvalues in I, and from the others if a unit is unused."""
    indices = list(subset.indices)
    used, left = case.eigenvalues[indices], np.delete(case.eigenvalues, indices)
    compared = np.append(used, left) if len(indices) < case.code else used
    return float(np.abs(compared - subset.variance).min())


def mean_of_others(case: Landscape, indices: tuple[int, ...]) -> float:
    """σ², the mean of the eigenvalues that are not in a set; zero if there are none."""
    left = np.delete(case.eigenvalues, list(indices))
    return float(left.sum()) / max(len(left), 1)


def predicted_likelihood_index(
    eigenvalues: Float64[np.ndarray, " n"], subset: EigenSubset, code: int
) -> tuple[int, int]:
    """Numbers of negative and zero curvatures of −log p in W/σ and log σ².

    Args:
        eigenvalues: distinct eigenvalues of S, all positive.
        subset: the set I and σ².
        code: k ≥ r = |I|.

    Returns:
        The number of negative and the number of zero eigenvalues.

    Source: see `probabilistic_pca`.
    """
    indices, variance = subset
    used, unused = len(indices), code - len(indices)
    outside = np.delete(eigenvalues, indices)
    descending = sum(int(np.sum(outside > eigenvalues[i])) for i in indices)
    negative = descending + unused * int(np.sum(outside > variance))
    return negative, used * (used - 1) // 2 + used * unused


def likelihood_tolerance(problem: Problem, variance: float) -> Tolerance:
    """Rounding of log p and of J in nats, 8 (√N + 50) ε √n (1 + √λ_1/σ), for Σλ = 1.

    The SVD of T, with N entries, has a backward error δT of the size of σ_1, so S has one of
    TᵀδT + δTᵀT: between the axes i and j it is proportional to √λ_1 (√λ_i + √λ_j). In nats it is
    divided by σ √λ_i for W in units of σ, and by σ² for the variance of each axis that is left,
    λ_i ≤ β σ²: at most √λ_1/σ, whatever the eigengap. A residual x − z W of size √n σ, rounded in
    units of √λ_1, leaves the same.

    Args:
        problem: data and code size.
        variance: σ² of p(x | z), for Σλ = 1.

    Returns:
        The tolerance, infinite for σ² = 0.
    """
    ratio = float(np.sqrt(unit_eigenvalues(problem)[0] / variance)) if variance > 0 else np.inf
    size = float(np.sqrt(problem.moments.factor.size)) + DEFLATION
    value = 8 * EPSILON * size * float(np.sqrt(problem.x.shape[1])) * (1 + ratio)
    return Tolerance(value, CLOSED_FORM_CAP, f"rounding of √λ_1 against σ: √λ_1/σ = {ratio:.1e}")


def _likelihood_certificate(problem: Problem) -> tuple[Certificate, ...]:
    obstacle = unbounded_likelihood(problem)
    if obstacle is not None:
        return refuse((LIKELIHOOD,), obstacle)
    tolerance = _tolerance(problem)
    return (certify(LIKELIHOOD, tolerance, lambda: _likelihood_evidence(problem)),)


def _likelihood_evidence(problem: Problem) -> Evidence:
    variance, features = noise_variance_of_likelihood(problem), problem.x.shape[1]
    residual, control = (
        _distance_from_maximum(problem, each)
        for each in (variance, variance * (features - problem.code) / features)
    )
    part = enumerable_problem(problem)
    if unbounded_likelihood(part) is None:
        below = amount_below_the_formula(part)
        residual = max(residual, rescaled_residual(below, _tolerance(part), _tolerance(problem)))
    return Evidence(residual, control)


def _tolerance(problem: Problem) -> Tolerance:
    return likelihood_tolerance(problem, noise_variance_of_likelihood(problem))


def _distance_from_maximum(problem: Problem, variance: float) -> float:
    """Maximum of |−log p − its formula| and ‖∇ log p‖ at axes scaled for a noise variance."""
    kept = unit_eigenvalues(problem)[: problem.code]
    axes = axes_scaled_by_signal(kept, leading_components(problem.pca, problem.code), variance)
    value, gradient = likelihood_and_gradient(_rows(problem), rotated(problem, axes), variance)
    return max(abs(value - _least(problem)), gradient)


def rotated(problem: Problem, loadings: Float64[np.ndarray, "k n"]) -> Float64[np.ndarray, "k n"]:
    """Rᵀ W for a random rotation R of the code, drawn with the problem's key."""
    with jax.enable_x64(True):
        rotation = np.asarray(jax.random.orthogonal(problem.key, len(loadings)))
    return rotation.T @ loadings


def _rows(problem: Problem) -> Float64[np.ndarray, "p n"]:
    """Examples with the data's moments, for Σλ = 1."""
    return equivalent_batch(unit_factor(problem))


def _least(problem: Problem) -> float:
    kept = unit_eigenvalues(problem)[: problem.code]
    variance = noise_variance_of_likelihood(problem)
    return least_negative_log_likelihood(kept, variance, problem.x.shape[1])


def amount_below_the_formula(problem: Problem) -> float:
    """Amount by which −log p after EM from a random start is below its formula, in nats."""
    covariance = unit_factor(problem).T @ unit_factor(problem)
    with jax.enable_x64(True):
        loadings = np.asarray(jax.random.normal(problem.key, (problem.code, len(covariance))))
    variance = 1 / len(covariance)
    loadings, variance = expectation_maximisation(
        covariance, np.sqrt(variance) * loadings, variance
    )
    value, _ = likelihood_and_gradient(_rows(problem), loadings / np.sqrt(variance), variance)
    return max(0.0, _least(problem) - value)


def _index_certificate(problem: Problem) -> Certificate:
    case, obstacle = landscape_or_obstacle(problem)
    tolerance = _index_tolerance(problem, case)
    return certify(SADDLES, tolerance, lambda: _index_evidence(problem, case), obstacle=obstacle)


def _index_tolerance(problem: Problem, case: Landscape) -> Tolerance:
    """Rounding of a covariance with condition number 1/σ², for λ_1 = 1, divided by the gap."""
    found, count = stationary_subsets(case), len(case.eigenvalues)
    variance = min((each.variance for each in found), default=0.0)
    gaps = [gap_of_variance(case, each) for each in found]
    gap = min([*-np.diff(case.eigenvalues), *gaps], default=0.0)
    error = 16 * EPSILON * float(np.sqrt(problem.moments.factor.size) + count * case.code)
    where = f"{len(found)} of {len(subsets(case))} subsets of {count} directions"
    basis = f"{where} with {case.code} units; σ² = {variance:.1e} and gap {gap:.1e} of λ_1"
    value = error / (variance * gap) if variance * gap > 0 else np.inf
    return Tolerance(float(value), CLOSED_FORM_CAP, basis)


def _index_evidence(problem: Problem, case: Landscape) -> Evidence:
    """Gradients, errors of −log p and violations of the predicted signs at every set."""
    chosen, local = likelihood_derivatives(problem, case)
    expected = [
        least_negative_log_likelihood(
            case.eigenvalues[list(indices)], variance, len(case.eigenvalues)
        )
        for indices, variance in chosen
    ]
    counts = [predicted_likelihood_index(case.eigenvalues, each, case.code) for each in chosen]
    signs = index_evidence(local.curvatures, counts)
    error = float(np.abs(local.loss - np.array(expected)).max())
    return signs._replace(residual=max(signs.residual, float(local.gradient.max()), error))


def likelihood_derivatives(
    problem: Problem, case: Landscape
) -> tuple[list[EigenSubset], LocalDerivatives]:
    """Stationary subsets, and derivatives of −log p at each, at a random rotation of the code."""
    everything = [EigenSubset(each, mean_of_others(case, each)) for each in subsets(case)]
    loadings = []
    for indices, variance in everything:  # all sets, so that one shape is compiled
        kept = list(indices)
        axes = axes_scaled_by_signal(case.eigenvalues[kept], case.components[kept], variance)
        unused = ((0, case.code - len(axes)), (0, 0))
        loadings.append(rotated(problem, np.pad(axes, unused)))
    logarithms = np.log([each.variance for each in everything])
    points = {"loadings": np.stack(loadings), "log_variance": logarithms}
    local = derivatives_at(negative_log_likelihood, points, equivalent_batch(case.factor))
    chosen = stationary_subsets(case)
    places = [everything.index(each) for each in chosen]
    return chosen, LocalDerivatives(*(each[places] for each in local))
