"""The problem that every theorem is asked about: the user's data, a code size, and a key.

Every theorem is a function of one record, as every penalty is, so that the data is analysed once
and a new theorem touches nothing else.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.analysis.centring import centred, real_array, scale_to_unit, storage_precision
from aejax.theory.analysis.moments import Moments, moments_of_centred, rms_row_norm
from aejax.theory.analysis.pca import PCA, least_loss, pca_of_moments
from aejax.theory.checking.certificate import Certificate, Obstacle
from aejax.types import Array, Key

EPSILON = float(np.finfo(np.float64).eps)

DEFLATION = 50.0
"""Roundings ε at which LAPACK's iterations for singular values take a matrix for diagonal.

An off-diagonal entry is zero where it is below u^(−1/8) u of its neighbours, u = ε/2 (Demmel &
Kahan 1990), or below 64 u of the largest (divide and conquer), whatever the size of the matrix.
"""


MODERATE_EXPONENT = 32
"""Data whose spread is within 2^±32 is measured in the user's own unit.

Products of two of its variances, λ², lie within 10^±39, far from where float64 loses digits.
"""


class Problem(NamedTuple):
    """The user's data, posed.

    x:         [m, n], float64: the data divided by 2^exponent, by which no digit changes.
    centred:   x − x̄ [m, n], float64, of the data as it was stored: exact where x itself, for an
               offset, is not.
    code:      k, the size of the code.
    key:       for theorems that draw; each uses it as if it were alone, so that it answers the same
               alone as among the others.
    moments:   of x.
    pca:       of x.
    exponent:  0 but for data whose variances, or products of two, float64 could not hold.
    precision: relative rounding error of a value as it was stored: ε of its dtype, 0 for integers.
    """

    x: Float64[np.ndarray, "examples features"]
    centred: Float64[np.ndarray, "examples features"]
    code: int
    key: Key
    moments: Moments
    pca: PCA
    exponent: int
    precision: float


Theorem = Callable[[Problem], tuple[Certificate, ...]]
"""A theorem: what it claims of a problem, each claim with its certificate."""


def pose(x: Shaped[np.ndarray | Array, "..."], code: int, *, key: Key | None = None) -> Problem:
    """Pose the problem: centre and scale the data exactly, and analyse it once for every theorem.

    Theorems are independent of units and origin, and so are the verdicts: data is centred in the
    dtype in which it was stored, and measured in a power of two where its own unit is too small or
    too large for float64 to square variances.

    Args:
        x: [examples, features], any real dtype, finite.
        code: k ≥ 1, the size of the code.
        key: for random starts and random changes of code; None means `jax.random.key(0)`.

    Returns:
        The `Problem`.

    Raises:
        ValueError: where x is not a finite real matrix, or the code size is below one.
    """
    if code < 1:
        raise ValueError(f"code must be one or more, got {code}")
    x = real_array(x)
    scaled, exponent = scale_to_unit(x)
    rows, mean, _ = centred(scaled)
    scaled = scaled.astype(np.float64)
    # A spread below the rounding of an offset is none; the offset itself must stay in range too.
    size = max(np.abs(rows).max(), EPSILON * np.abs(scaled).max())
    unit = exponent + int(np.frexp(size)[1])
    unit = unit if abs(unit) > MODERATE_EXPONENT else 0
    rows, mean, scaled = (np.ldexp(each, exponent - unit) for each in (rows, mean, scaled))
    data = moments_of_centred(rows, mean, rms_row_norm(scaled))
    key = jax.random.key(0) if key is None else key
    analysis = pca_of_moments(data)
    return Problem(scaled, rows, code, key, data, analysis, unit, storage_precision(x))


def every_nth(problem: Problem, step: int) -> Problem:
    """The problem of evenly spaced examples alone, one in so many, with a PCA of its own."""
    x, rows = problem.x[::step], problem.centred[::step]
    shift = rows.mean(axis=0)
    rows = rows - shift
    data = moments_of_centred(rows, problem.moments.mean + shift, rms_row_norm(x))
    return problem._replace(x=x, centred=rows, moments=data, pca=pca_of_moments(data))


def rounding(problem: Problem) -> float:
    """Rounding error of R's singular values, ε ((√(mn) + 50) σ_1 + ‖x‖_F/√m).

    The first term is that of the factorisations (a backward error of γ_{mn}), with √N ε for γ_N,
    which holds with high probability, and of where their iterations stop; the second is that of x
    as it was stored, which an offset makes large against the spread: see `stored_rounding`.

    Args:
        problem: the problem.

    Returns:
        The error ρ, in the units of σ.

    Source: Higham 2002, theorem 19.4 (QR); Higham & Mary 2019 (√N for N).
    """
    largest = np.sqrt(problem.pca.eigenvalues[0])
    sizes = np.sqrt(problem.x.size) + DEFLATION
    return EPSILON * float(sizes * largest) + stored_rounding(problem)


def stored_rounding(problem: Problem) -> float:
    """Rounding error of a row of x as it was stored in float64, ε ‖x‖_F/√m; none of integers.

    Data that was stored more coarsely is taken as it is, for its values are exact in float64.
    """
    return min(problem.precision, EPSILON) * problem.moments.magnitude


def rank(problem: Problem) -> int:
    """Number of singular values of R beyond its rounding error."""
    return int(np.sum(problem.pca.eigenvalues > rounding(problem) ** 2))


def last_component(problem: Problem) -> int:
    """Index from zero of the last principal component that the code keeps and the data has."""
    return min(problem.code, rank(problem)) - 1


def pca_obstacle(problem: Problem) -> Obstacle | None:
    """Why no statement about principal components applies: a code as wide as x, or no variance."""
    features = problem.x.shape[1]
    if problem.code >= features:
        reason = f"code {problem.code} ≥ {features} features: the identity attains zero loss"
        return Obstacle("not applicable", reason)
    if rank(problem) == 0:
        reason = f"{zero_variance_message(problem)}: any code has zero loss"
        return Obstacle("not applicable", reason)
    return None


def zero_variance_message(problem: Problem) -> str:
    """That no feature varies beyond rounding, and the variance that there is, in x's own unit."""
    total = np.ldexp(least_loss(problem.pca, 0), 2 * problem.exponent)
    return f"no feature varies beyond rounding (Σ λ = {total:.1e})"
