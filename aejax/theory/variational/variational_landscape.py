"""Theorem: the linear variational autoencoder has no local optimum besides the global one."""

from itertools import combinations

import numpy as np

from aejax.theory.analysis.moments import triangular_factor
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
)
from aejax.theory.checking.problem import EPSILON, Problem
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.theory.optimum.hessian_index import LocalDerivatives, derivatives_at, index_evidence
from aejax.theory.optimum.landscape import Landscape, landscape_or_obstacle
from aejax.theory.variational.linear_evidence_bound import (
    LinearVAE,
    expected_evidence_loss,
    linear_vae_params,
)
from aejax.theory.variational.linear_vae import best_posterior, symmetric_batch

INDEX = Statement(
    claim="every other set of axes is a strict saddle of the linear variational autoencoder",
    formula="∇J = 0 at I, where J has #{i∈I, j∉I: λ_j > λ_i} + (k − r) #{j∉I: λ_j > σ²} negative "
    "and no zero curvatures, r = |I|",
    source="Lucas et al. 2019; the counts derived here",
)
SHARED = Statement(
    claim="two units that share two axes are stationary too, and a saddle: the likelihood is not",
    formula="∇J = 0 at C = Uᵀ diag(√(c λ_1), √(c λ_2)) U, √c = (√λ_1 + √λ_2)/2, U by 45°; "
    "J = J_{1…k} + log c − ½ log λ_1 λ_2",
    source="derived here",
)


def variational_landscape(problem: Problem) -> tuple[Certificate, ...]:
    """Stationary points of J = −ELBO at a fixed σ², and the index of the Hessian at each.

    With the best A and d for each W (`linear_vae`), J = ½ [Σ_l log C_ll + tr S (σ² I + WᵀW)⁻¹] up
    to a constant, C = W Wᵀ + σ² I. Its gradient vanishes where W S = C Δ⁻¹ C W with Δ = diag C; as
    W S Wᵀ is symmetric, C and Δ commute: units of different C_ll are orthogonal. If all units are
    orthogonal, W consists of the scaled eigenvectors of a set I with λ_i > σ², and unused units. If
    not, C is not diagonal, and a rotation of two units with equal C_ll and C_lm ≠ 0 decreases J to
    second order, as it changes only Σ_l log C_ll: a strict saddle. At a set I, the curvatures are
    those of the likelihood except that rotations have positive ones.

    Verification: `jax.hessian` of `aejax.objective` in all parameters of `aejax.variational`, with
    biases and a log variance that may depend on x, at every set of at most k of the directions with
    λ > σ², on the problem of `landscape_index`. σ² is the geometric mean of two neighbouring
    eigenvalues, λ_{k+1} and λ_{k+2} if there are so many.

    Shared axes are tested with the other units on the axes 3 to k, so that no other curvature is
    negative.

    Controls: the curvature closest to zero, which an index that is wrong by one would count as
    zero; c as the mean of λ_1 and λ_2.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the index at every set, and the shared axes.

    Source: Lucas et al. 2019.
    """
    case, obstacle = landscape_or_obstacle(problem)
    tolerance = _tolerance(problem, case)
    single = Obstacle("not applicable", "one code unit shares no axis")
    return (
        certify(INDEX, tolerance, lambda: _index_evidence(case), obstacle=obstacle),
        certify(
            SHARED,
            tolerance,
            lambda: _shared_evidence(case),
            obstacle=obstacle or (single if case.code < 2 else None),
        ),
    )


def noise_between(case: Landscape) -> tuple[int, float]:
    """Number q of directions with λ > σ², and σ² = √(λ_q λ_{q+1}), q = min(k + 1, directions − 1).

    Args:
        case: landscape with at least two directions.

    Returns:
        q and σ².
    """
    above = min(case.code + 1, len(case.eigenvalues) - 1)
    return above, float(np.sqrt(case.eigenvalues[above - 1] * case.eigenvalues[above]))


def used_sets(case: Landscape) -> list[tuple[int, ...]]:
    """All sets of at most k of the directions with λ > σ², in order of size."""
    above, _ = noise_between(case)
    sizes = range(case.code + 1)
    return [chosen for r in sizes for chosen in combinations(range(above), r)]


def predicted_evidence_index(case: Landscape, indices: tuple[int, ...]) -> tuple[int, int]:
    """Numbers of negative and zero curvatures of J at a set of axes.

    Args:
        case: landscape of distinct, positive eigenvalues.
        indices: the set I, of directions with λ > σ².

    Returns:
        The number of negative and the number of zero eigenvalues, which is 0.

    Source: see `variational_landscape`.
    """
    _, variance = noise_between(case)
    outside = np.delete(case.eigenvalues, list(indices))
    descending = sum(int(np.sum(outside > case.eigenvalues[i])) for i in indices)
    return descending + (case.code - len(indices)) * int(np.sum(outside > variance)), 0


def least_at_set(case: Landscape, indices: tuple[int, ...]) -> float:
    """J = ½ [n log 2πσ² + D/σ²] + Σ_I ½ log λ_i/σ², with D = r σ² + Σ_{j∉I} λ_j, in nats."""
    _, variance = noise_between(case)
    used, left = case.eigenvalues[list(indices)], np.delete(case.eigenvalues, list(indices))
    distortion = len(used) * variance + float(left.sum())
    constant = len(case.eigenvalues) * float(np.log(2 * np.pi * variance))
    return 0.5 * (constant + distortion / variance + float(np.sum(np.log(used / variance))))


def vae_at_set(case: Landscape, indices: tuple[int, ...]) -> LinearVAE:
    """W of one scaled eigenvector for each used unit, and the best posterior."""
    _, variance = noise_between(case)
    kept = list(indices)
    scaled = np.sqrt(case.eigenvalues[kept] - variance)[:, None] * case.components[kept]
    return best_posterior(np.pad(scaled, ((0, case.code - len(kept)), (0, 0))), variance)


def vae_with_shared_axes(case: Landscape, scale: float) -> LinearVAE:
    """Two units at 45° between the first two axes, the others on the axes 3 to k.

    Args:
        case: landscape with at least two code units.
        scale: c; C has the eigenvalues √(c λ_1) and √(c λ_2) on the first two axes.

    Returns:
        The autoencoder with the best posterior of these units.
    """
    _, variance = noise_between(case)
    signal = case.eigenvalues[: case.code].copy()
    signal[:2] = np.sqrt(scale * signal[:2])
    decoder = np.sqrt(signal - variance)[:, None] * case.components[: case.code]
    decoder[:2] = np.array([[1.0, 1.0], [-1.0, 1.0]]) @ decoder[:2] / np.sqrt(2)
    return best_posterior(decoder, variance)


def stationary_derivatives(case: Landscape) -> LocalDerivatives:
    """Derivatives of J in all parameters at each of `used_sets`, then at shared axes.

    Args:
        case: the landscape.

    Returns:
        Value, gradient norm and Hessian eigenvalues; with two units or more, the last two points
        are those of shared axes with the stationary scale c and with the mean of λ_1 and λ_2.
    """
    _, variance = noise_between(case)
    chosen = [vae_at_set(case, each) for each in used_sets(case)]
    if case.code > 1:
        chosen += [vae_with_shared_axes(case, scale) for scale in _scales(case)]
    stacked = LinearVAE(*(np.stack(each) for each in zip(*chosen, strict=True)))
    rows = symmetric_batch(triangular_factor(case.factor))
    data = rows, np.float64(variance), np.float64(1)
    return derivatives_at(expected_evidence_loss, linear_vae_params(stacked), data)


def _tolerance(problem: Problem, case: Landscape) -> Tolerance:
    """Rounding over σ², for λ_1 = 1, with encoders up to 1/σ, divided by the gap."""
    count = len(case.eigenvalues)
    above, variance = noise_between(case) if count > 1 else (1, 1.0)
    between = np.abs(case.eigenvalues - variance).min()
    gap = min([between, *-np.diff(case.eigenvalues)])
    error = 16 * EPSILON * float(np.sqrt(problem.moments.factor.size) + count * case.code)
    value = error / (gap * variance**1.5) if gap * variance > 0 else np.inf
    where = f"{above} of {count} directions exceed σ² = {variance:.1e}, with {case.code} units"
    return Tolerance(float(value), CLOSED_FORM_CAP, f"{where}; least gap {gap:.1e} of λ_1")


def _scales(case: Landscape) -> tuple[float, float]:
    """c = ((√λ_1 + √λ_2)/2)², and the mean of λ_1 and λ_2."""
    pair = case.eigenvalues[:2]
    return float(np.mean(np.sqrt(pair)) ** 2), float(np.mean(pair))


def _index_evidence(case: Landscape) -> Evidence:
    chosen = used_sets(case)
    loss, gradient, curvatures = (each[: len(chosen)] for each in stationary_derivatives(case))
    signs = index_evidence(curvatures, [predicted_evidence_index(case, each) for each in chosen])
    expected = np.array([least_at_set(case, each) for each in chosen])
    error = float(np.abs(loss - expected).max())
    return signs._replace(residual=max(signs.residual, float(gradient.max()), error))


def _shared_evidence(case: Landscape) -> Evidence:
    """Gradient, error of J and the least curvature, if positive, at the shared axes."""
    loss, gradient, curvatures = (each[-2:] for each in stationary_derivatives(case))
    scale, _ = _scales(case)
    excess = float(np.log(scale) - 0.5 * np.sum(np.log(case.eigenvalues[:2])))
    error = abs(float(loss[0]) - least_at_set(case, tuple(range(case.code))) - excess)
    residual = max(float(gradient[0]), error, float(curvatures[0, 0]))
    return Evidence(residual, float(gradient[1]))
