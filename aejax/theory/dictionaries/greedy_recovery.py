"""Theorem on greedy recovery: matching pursuit finds k < ½ (1 + 1/μ) active units, and not more."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from aejax.models import matching_pursuit
from aejax.theory.checking.certificate import (
    Certificate,
    Evidence,
    Statement,
    certify,
    refuse,
)
from aejax.theory.checking.problem import Problem, pca_obstacle
from aejax.theory.dictionaries.sparse_coding import (
    Codes,
    Dictionary,
    Rows,
    best_codes,
    coherence,
    instance_tolerance,
    orthogonal_matching_pursuit,
    supports,
)

MAX_UNITS = 3
"""Maximum number of active units."""

PURSUIT_STEPS = 400
"""Steps of plain matching pursuit: 0.78⁴⁰⁰ of the squared error remain of three units."""

RECOVERED = Statement(
    claim="orthogonal matching pursuit recovers every code of k < ½ (1 + 1/μ) units in k steps",
    formula="x = s W_d, ‖s‖₀ = k < ½ (1 + 1/μ) → h = s; matching pursuit converges to it",
    source="Tropp 2004",
)
BEYOND = Statement(
    claim="at k = ½ (1 + 1/μ) two codes of k units can have the same x: none recovers both",
    formula="Σ_{l≤k} d_l = −Σ_{l>k} d_l for the 2k directions of a regular simplex",
    source="derived here, after Tropp 2004",
)


def greedy_recovery(problem: Problem) -> tuple[Certificate, ...]:
    """Greedy pursuit recovers sparse codes up to the coherence bound, which cannot be improved.

    Let s have the support S of k units, r = Σ_{l∈S} s_l d_l and M = max_{l∈S} |s_l|. The scores
    |r · d_l| are at least M (1 − (k − 1) μ) at the unit of M, and at most M k μ outside of S: a
    unit of S is selected if (2k − 1) μ < 1. The residual stays in the span of S, so that each step
    selects from S, and orthogonal pursuit no unit twice. After k steps least squares finds s, as
    the Gram matrix of S has eigenvalues of at least 1 − (k − 1) μ > 0. Plain matching pursuit
    selects from S too, and reduces the squared error by at least the factor
    1 − (1 − (k − 1) μ)/k in each step.

    The bound is tight. The 2k directions of a regular simplex in 2k − 1 dimensions have the inner
    products −1/(2k − 1), so that ½ (1 + 1/μ) = k, and the sum zero. So the codes 1_S and −1_{S'}
    of complementary sets of k units have the same x.

    Verification: regular simplices in the span of the first principal components, with
    k = min(3, ⌊r/2⌋) of r components: in 2k dimensions, where k < ½ (1 + 1/μ) = k + ½, and in
    2k − 1, where both are equal. All supports of up to k units with all signs, and values from 1 to
    2, are coded by orthogonal matching pursuit, by enumeration of all supports, and by
    `aejax.matching_pursuit` with the directions and their opposites, as its code is not negative.

    Controls: recovery in 2k − 1 dimensions; two codes of k units with the same x in 2k dimensions.

    Args:
        problem: the user's data, code size and key.

    Returns:
        Two certificates, within the bound and at it.

    Source: Tropp 2004.
    """
    obstacle = pca_obstacle(problem)
    if obstacle is not None:
        return refuse((RECOVERED, BEYOND), obstacle)
    tolerance = instance_tolerance(problem.x.shape[1], condition=4.0)
    return (
        certify(RECOVERED, tolerance, lambda: _recovery_evidence(problem)),
        certify(BEYOND, tolerance, lambda: _ambiguity_evidence(problem)),
    )


def simplex(directions: Float64[np.ndarray, "dimensions features"]) -> Dictionary:
    """Regular simplex in the span of d orthonormal directions: d + 1 directions of norm 1.

    Args:
        directions: orthonormal rows.

    Returns:
        Rows with the inner products −1/d and the sum zero.
    """
    dimension = len(directions)
    order = np.arange(1, dimension + 1)[:, None]
    column = np.arange(dimension + 1)
    helmert = np.where(column < order, 1.0, np.where(column == order, -order, 0.0))
    helmert /= np.sqrt(order * (order + 1))
    return np.sqrt((dimension + 1) / dimension) * helmert.T @ directions


def num_units(problem: Problem) -> int:
    """k = min(3, ⌊r/2⌋), with r = min(m, n) principal components."""
    return min(MAX_UNITS, len(problem.pca.components) // 2)


def sparse_signals(problem: Problem, units: int, size: int) -> Codes:
    """Codes of one size: all supports and signs, with values of 1 and with random ones in [1, 2].

    Args:
        problem: supplies the key.
        units: number of units of the code.
        size: number of active units.

    Returns:
        The codes.
    """
    patterns = np.array(list(product((1.0, -1.0), repeat=size)))
    chosen = np.repeat(supports(units, size), len(patterns), axis=0)
    signs = np.tile(patterns, (len(chosen) // len(patterns), 1))
    with jax.enable_x64(True):
        drawn = np.asarray(jax.random.uniform(problem.key, signs.shape, jnp.float64))
    codes = np.zeros((2 * len(chosen), units))
    rows = np.arange(len(chosen))[:, None]
    codes[rows, chosen], codes[len(chosen) + rows, chosen] = signs, signs * (1 + drawn)
    return codes


def recovery_error(dictionary: Dictionary, codes: Codes, size: int) -> float:
    """Largest error of the values of codes of one size by orthogonal matching pursuit."""
    found = orthogonal_matching_pursuit(dictionary, codes @ dictionary, steps=size)
    return float(np.abs(found - codes).max())


def pursued_codes(dictionary: Dictionary, x: Rows) -> Codes:
    """Signed codes by `aejax.matching_pursuit` with the directions and their opposites."""
    units, features = dictionary.shape
    model = matching_pursuit(features, 2 * units, k=PURSUIT_STEPS)
    with jax.enable_x64(True):
        kernel = jnp.asarray(np.r_[dictionary, -dictionary])
        params = {"decoder": {"kernel": kernel}, "centre": {"bias": jnp.zeros(features)}}
        codes = np.asarray(jax.jit(model.encode)(params, jnp.asarray(x)))
    return codes[:, :units] - codes[:, units:]


def _simplices(
    problem: Problem,
) -> tuple[Float64[np.ndarray, "more features"], Float64[np.ndarray, "units features"]]:
    """The simplices in 2k and in 2k − 1 dimensions."""
    dimensions = 2 * num_units(problem)
    components = problem.pca.components
    return simplex(components[:dimensions]), simplex(components[: dimensions - 1])


def _recovery_evidence(problem: Problem) -> Evidence:
    within, beyond = _simplices(problem)
    most = num_units(problem)
    errors = [abs(coherence(within) - 1 / (2 * most))]
    for size in range(1, most + 1):
        codes = sparse_signals(problem, len(within), size)
        enumerated = best_codes(within, codes @ within, size=size).codes
        errors += [recovery_error(within, codes, size), float(np.abs(enumerated - codes).max())]
    codes = sparse_signals(problem, len(within), most)
    errors.append(float(np.abs(pursued_codes(within, codes @ within) - codes).max()))
    control = recovery_error(beyond, sparse_signals(problem, len(beyond), most), most)
    return Evidence(max(errors), control)


def _ambiguity_evidence(problem: Problem) -> Evidence:
    """Distance of the two codes' x, and the amount by which the error of pursuit is below ½.

    The values of the two codes differ by 1, so that any code differs by ½ from one of them.
    """
    within, beyond = _simplices(problem)
    most = num_units(problem)
    one, other = _complementary_codes(len(beyond), most)
    pursued = orthogonal_matching_pursuit(beyond, one @ beyond, steps=most)
    error = max(float(np.abs(pursued - codes).max()) for codes in (one, other))
    residual, control = (
        float(np.linalg.norm((one - other) @ dictionary))
        for dictionary in (beyond, within)
        for one, other in [_complementary_codes(len(dictionary), most)]
    )
    return Evidence(max(residual, 0.5 - error), control)


def _complementary_codes(units: int, size: int) -> tuple[Codes, Codes]:
    """The codes with 1 at the first units, and with −1 at as many further units."""
    codes = np.zeros((2, 1, units))
    codes[0, 0, :size], codes[1, 0, size : 2 * size] = 1, -1
    return codes[0], codes[1]
