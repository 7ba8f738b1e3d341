"""Theorem: critical points of the linear autoencoder, and the index of the Hessian at each."""

from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax import losses
from aejax.models import linear
from aejax.theory.analysis.linear_params import linear_params
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Obstacle,
    Statement,
    Tolerance,
    certify,
)
from aejax.theory.checking.problem import EPSILON, Problem, pca_obstacle, rank
from aejax.theory.checking.tolerances import CLOSED_FORM_CAP
from aejax.theory.optimum.hessian_index import (
    LocalDerivatives,
    derivatives_at,
    index_evidence,
)
from aejax.theory.optimum.invariance import invertible_matrix
from aejax.types import Array, Key, Params

MAX_ENUMERATED_FEATURES = 8
"""Maximum number of features whose critical points are all enumerated."""

NUM_DIRECTIONS, NUM_UNITS = 6, 3
"""Principal directions and code units used for more features: 42 subsets."""

EIGENVALUE_TOLERANCE = 1e-6
"""Minimum difference of two distinct eigenvalues, relative to λ_1."""

CRITICAL = Statement(
    claim="a projector on any k or fewer eigenvectors is a critical point, with this loss",
    formula="∇L = 0 and L = Σ_{i∉I} λ_i at W_e W_d = Σ_{i∈I} v_i v_iᵀ",
    source="Baldi & Hornik 1989",
)
INDEX = Statement(
    claim="every critical point but the k leading eigenvectors is a strict saddle",
    formula="the Hessian has #{i∈I, j∉I: λ_j > λ_i} + (k − r)(n − r) negative and k² − (k − r)² "
    "zero eigenvalues, r = |I|",
    source="Baldi & Hornik 1989; Kawaguchi 2016 (r < k); the counts derived here",
)


class Landscape(NamedTuple):
    """Problem whose critical points are enumerated, scaled so that λ_1 = 1.

    factor:      T [rows, n], with TᵀT = S.
    eigenvalues: λ of S [n], in descending order.
    components:  eigenvectors as rows [n, n].
    code:        k < n.
    """

    factor: Float64[np.ndarray, "rows n"]
    eigenvalues: Float64[np.ndarray, " n"]
    components: Float64[np.ndarray, "n n"]
    code: int


def landscape_index(problem: Problem) -> tuple[Certificate, ...]:
    """Critical points are projectors on subsets of eigenvectors; only one subset is a minimum.

    Let S = TᵀT have distinct, positive eigenvalues. The gradients of L = ‖T − T W_e W_d‖²_F are
    −2 M W_dᵀ and −2 W_eᵀ M with M = S (I − W_e W_d). They vanish exactly at W_e = V_I C,
    W_d = D V_Iᵀ with C D = I_r, for a set I of r ≤ k eigenvectors; then L = Σ_{j∉I} λ_j. The
    Hessian there has #{i∈I, j∉I: λ_j > λ_i} + (k − r)(n − r) negative and k² − (k − r)² zero
    eigenvalues, so only the k leading eigenvectors give a minimum.

    Proof of the counts: along (X, Y) the Hessian is twice
    tr (X W_d + W_e Y)ᵀ S (X W_d + W_e Y) − 2 tr Mᵀ X Y. A change of basis of the code makes
    C = Dᵀ = [I_r 0]; in the eigenbasis the form is a sum of blocks: λ_i (X + Y)² for i, i' ∈ I;
    λ_j X² + λ_i Y² − 2 λ_j XY, with determinant λ_j (λ_i − λ_j), for i ∈ I and j ∉ I; −2 λ_j XY for
    an unused unit and j ∉ I; zero for an unused unit and i ∈ I. Baldi & Hornik assume kernels of
    full rank, r = k; the statement for r < k does not need this assumption.

    Verification: every subset is tested at a random C, with `jax.grad` and `jax.hessian` of the
    loss through the model's encode and decode. With up to 8 features the data are the user's, in
    the directions that have variance; with more they are 6 principal directions with distinct
    eigenvalues, and 3 code units.

    Tolerances: rounding of T, its eigenvectors and one forward pass; for the index, divided by the
    eigengap.

    Controls: the smallest gradient after one eigenvector of the subset is rotated by 45° towards
    another; the curvature closest to zero, which an index that is wrong by one would count as zero.

    Args:
        problem: data, code size and key.

    Returns:
        Two certificates: the critical points, and their index.

    Source: Baldi & Hornik 1989; Kawaguchi 2016.
    """
    case, obstacle = landscape_or_obstacle(problem)
    return (
        certify(
            CRITICAL,
            _gradient_tolerance(problem, case),
            lambda: _critical_evidence(problem.key, case),
            obstacle=obstacle,
        ),
        certify(
            INDEX,
            _index_tolerance(problem, case),
            lambda: _index_evidence(problem.key, case),
            obstacle=obstacle,
        ),
    )


def enumerated_landscape(problem: Problem) -> Landscape:
    """The user's problem, restricted to 6 principal directions if it has more than 8 features.

    Args:
        problem: data with variance, and code size.

    Returns:
        The `Landscape`, with at most 8 directions, in descending order of their eigenvalues.
    """
    eigenvalues = problem.pca.eigenvalues[: rank(problem)]
    features = problem.x.shape[1]
    if features <= MAX_ENUMERATED_FEATURES:
        chosen = list(range(len(eigenvalues)))
        code = max(1, min(problem.code, len(chosen) - 1))
    else:
        chosen = distinct_indices(eigenvalues)[:NUM_DIRECTIONS]
        code = max(1, min(problem.code, NUM_UNITS, len(chosen) - 1))
    rows = problem.pca.components[chosen]
    factor = problem.moments.factor / np.sqrt(eigenvalues[0])
    if len(chosen) < features:
        factor, rows = factor @ rows.T, np.eye(len(chosen))
    return Landscape(factor, eigenvalues[chosen] / eigenvalues[0], rows, code)


def landscape_or_obstacle(problem: Problem) -> tuple[Landscape, Obstacle | None]:
    """The landscape, and the reason why it cannot be enumerated, if there is one."""
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        placeholder = Landscape(np.zeros((1, 1)), np.ones(1), np.eye(1), 1)
        return placeholder, obstacle
    case = enumerated_landscape(problem)
    count = len(case.eigenvalues)
    if count < 2:
        reason = f"{count} direction of distinct variance: every critical point but zero is optimal"
        return case, Obstacle("not applicable", reason)
    gap = -np.diff(case.eigenvalues).max()
    if gap <= EIGENVALUE_TOLERANCE:
        reason = f"eigenvalues are not distinct: the least gap is {gap:.1e} of λ_1"
        return case, Obstacle("not identifiable", reason)
    return case, None


def distinct_indices(eigenvalues: Float64[np.ndarray, " n"]) -> list[int]:
    """Indices of descending eigenvalues with gaps of more than `EIGENVALUE_TOLERANCE` λ_1."""
    chosen = [0]
    for i, value in enumerate(eigenvalues):
        if eigenvalues[chosen[-1]] - value > EIGENVALUE_TOLERANCE * eigenvalues[0]:
            chosen.append(i)
    return chosen


def subsets(case: Landscape) -> list[tuple[int, ...]]:
    """All sets of at most k directions, in order of size, from the empty set."""
    sizes = range(case.code + 1)
    return [chosen for r in sizes for chosen in combinations(range(len(case.eigenvalues)), r)]


def predicted_index(
    eigenvalues: Float64[np.ndarray, " n"], subset: tuple[int, ...], code: int
) -> tuple[int, int]:
    """Numbers of negative and zero Hessian eigenvalues at the projector on some eigenvectors.

    A direction j ∉ I with λ_j = 0 has no curvature: it adds r + 2 (k − r) zero eigenvalues, and
    removes the k − r negative ones of the unused units.

    Args:
        eigenvalues: eigenvalues of S; the nonzero ones are distinct.
        subset: indices I of eigenvectors with positive eigenvalues.
        code: k ≥ r = |I|.

    Returns:
        The number of negative and the number of zero eigenvalues.

    Source: see `landscape_index`.
    """
    unused = code - len(subset)
    outside = np.delete(eigenvalues, list(subset))
    positive = int(np.sum(outside > 0))
    descending = sum(int(np.sum(outside > eigenvalues[i])) for i in subset)
    flat = code**2 - unused**2 + (len(outside) - positive) * (len(subset) + 2 * unused)
    return descending + unused * positive, flat


def critical_points(key: Key, case: Landscape, *, angle: float = 0.0) -> Params:
    """A random critical point for each subset, stacked: W_e = V_I C, W_d = D V_Iᵀ, C D = I.

    Args:
        key: PRNG key for C and D.
        case: the landscape.
        angle: rotation of the subset's last eigenvector towards one outside it (default: 0).

    Returns:
        Parameters of `aejax.linear(n, k, bias=False)`, [subsets, …].
    """
    with jax.enable_x64(True):
        keys = jax.random.split(key, len(subsets(case)))
        pairs = [_kernels(*each, case, angle) for each in zip(keys, subsets(case), strict=True)]
        encoder, decoder = (jnp.asarray(np.stack(side)) for side in zip(*pairs, strict=True))
    return linear_params(encoder, decoder)


def local_derivatives(case: Landscape, points: Params) -> LocalDerivatives:
    """Loss, gradient norm and Hessian eigenvalues at stacked parameters, in float64."""
    return derivatives_at(_loss, points, case.factor)


def _kernels(
    key: Key, subset: tuple[int, ...], case: Landscape, angle: float
) -> tuple[Float64[np.ndarray, "n k"], Float64[np.ndarray, "k n"]]:
    """W_e = V_I [I U] G, W_d = G⁻¹ [I 0]ᵀ V_Iᵀ, with cond G = 2 and random U for unused units."""
    key_change, key_unused = jax.random.split(key)
    r, size = len(subset), case.code
    # Singular values 1/√2 to √2.
    change = np.asarray(invertible_matrix(key_change, size)) / np.sqrt(8)
    unused = 0.5 * np.asarray(jax.random.normal(key_unused, (r, size - r)))
    rows = case.components[list(subset)]
    if angle and subset:
        outside = next(j for j in range(len(case.eigenvalues)) if j not in subset)
        rows[-1] = np.cos(angle) * rows[-1] + np.sin(angle) * case.components[outside]
    encoder = rows.T @ np.concatenate([np.eye(r), unused], axis=1) @ change
    return encoder, np.linalg.inv(change)[:, :r] @ rows


def _loss(params: Params, factor: Array) -> Array:
    """L through the model's encode and decode, on rows T."""
    model = linear(*params["encoder"]["layer_0"]["kernel"].shape, bias=False)
    x_hat = model.decode(params, model.encode(params, factor))
    return losses.squared_error(x_hat, factor).sum()


def _gap(case: Landscape) -> float:
    """Minimum distance between two eigenvalues of the landscape, or between one and zero."""
    return float(-np.diff(np.append(case.eigenvalues, 0)).max())


def _backward_error(problem: Problem, case: Landscape) -> float:
    """Rounding of T, its eigenvectors and a forward pass, for λ_1 = 1 and kernel norms below 4."""
    return 16 * EPSILON * float(np.sqrt(problem.x.size) + case.factor.shape[1] * case.code)


def _basis(problem: Problem, case: Landscape) -> str:
    n, features = len(case.eigenvalues), problem.x.shape[1]
    where = f"all {len(subsets(case))} subsets of {n} directions with {case.code} code units"
    chosen = "" if n == features else f" (of {features} features, the principal ones with variance)"
    return f"{where}{chosen}; least gap {_gap(case):.1e} of λ_1"


def _gradient_tolerance(problem: Problem, case: Landscape) -> Tolerance:
    return Tolerance(_backward_error(problem, case), CLOSED_FORM_CAP, _basis(problem, case))


def _index_tolerance(problem: Problem, case: Landscape) -> Tolerance:
    """Distance of a point from its critical set: error of the eigenvectors divided by the gap."""
    error, gap = _backward_error(problem, case), _gap(case)
    value = error / gap if gap > 0 else float("inf")
    return Tolerance(value, CLOSED_FORM_CAP, _basis(problem, case))


def _critical_evidence(key: Key, case: Landscape) -> Evidence:
    expected = np.array(
        [np.delete(case.eigenvalues, list(chosen)).sum() for chosen in subsets(case)]
    )
    exact, rotated = (
        local_derivatives(case, critical_points(key, case, angle=angle)) for angle in (0, np.pi / 4)
    )
    residual = max(exact.gradient.max(), np.abs(exact.loss - expected).max())
    return Evidence(float(residual), float(rotated.gradient[1:].min()))


def _index_evidence(key: Key, case: Landscape) -> Evidence:
    curvatures = local_derivatives(case, critical_points(key, case)).curvatures
    counts = [predicted_index(case.eigenvalues, each, case.code) for each in subsets(case)]
    return index_evidence(curvatures, counts)
