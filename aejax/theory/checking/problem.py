"""The problem that theorems are checked on: the user's data, a code size and a PRNG key.

Each theorem is a function of one `Problem`, so that the data are analysed once for all of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float64, Shaped
from threadpoolctl import threadpool_limits

from aejax.theory.analysis.centring import centred, real_array, scale_to_unit, storage_precision
from aejax.theory.analysis.moments import Moments, moments_of_centred, rms_row_norm
from aejax.theory.analysis.pca import PCA, least_loss, pca_of_moments
from aejax.theory.checking.certificate import Certificate, Obstacle
from aejax.types import Array, Key

EPSILON = float(np.finfo(np.float64).eps)

DEFLATION = 50.0
"""Deflation threshold of LAPACK's SVD, in units of ε, for matrices of every size.

An off-diagonal entry is set to zero if it is below u^(−1/8) u relative to its neighbours, u = ε/2
(Demmel & Kahan 1990), or below 64 u relative to the largest entry (divide and conquer).
"""


MODERATE_EXPONENT = 32
"""Maximum |e| of a spread 2^e for which data are not rescaled.

Products of two variances, λ², are then within 10^±39, far from overflow and underflow in float64.
"""


class Problem(NamedTuple):
    """The user's data, scaled and analysed, with a code size and a key.

    x:         [m, n], float64: the data divided by 2^exponent, which is exact.
    centred:   x − x̄ [m, n], float64, computed in the stored dtype, so that a large offset costs no
               accuracy.
    code:      code size k.
    key:       PRNG key of random starts and draws. Every theorem uses the same key, so that its
               result does not depend on which other theorems are checked.
    moments:   moments of x.
    pca:       principal components of x.
    exponent:  0, except for data whose variances or their products would over- or underflow.
    precision: relative rounding error of stored values: ε of their dtype, 0 for integers.
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
"""A theorem: a function from a problem to one certificate per claim."""


def pose(x: Shaped[np.ndarray | Array, "..."], code: int, *, key: Key | None = None) -> Problem:
    """Centre, scale and analyse data for the theorems.

    Data are centred in their stored dtype, and divided by a power of two if squared variances would
    over- or underflow, so that verdicts do not depend on the unit of the data. The factorisations
    of tall, thin blocks use one BLAS thread: several would synchronise at each column, which takes
    many times as long if other processes use the cores.

    Args:
        x: [examples, features], any real dtype, finite.
        code: code size k ≥ 1.
        key: PRNG key of random starts and draws (default: `jax.random.key(0)`).

    Returns:
        The `Problem`.

    Raises:
        ValueError: if x is not a finite real matrix, or the code size is below one.
    """
    if code < 1:
        raise ValueError(f"code must be at least 1, got {code}")
    x = real_array(x)
    scaled, exponent = scale_to_unit(x)
    rows, mean, _ = centred(scaled)
    scaled = scaled.astype(np.float64)
    # A spread below the rounding of the offset counts as zero; the offset must not overflow.
    size = max(np.abs(rows).max(), EPSILON * np.abs(scaled).max())
    unit = exponent + int(np.frexp(size)[1])
    unit = unit if abs(unit) > MODERATE_EXPONENT else 0
    rows, mean, scaled = (np.ldexp(each, exponent - unit) for each in (rows, mean, scaled))
    key = jax.random.key(0) if key is None else key
    with threadpool_limits(1, user_api="blas"):
        data = moments_of_centred(rows, mean, rms_row_norm(scaled))
        analysis = pca_of_moments(data)
    return Problem(scaled, rows, code, key, data, analysis, unit, storage_precision(x))


def every_nth(problem: Problem, step: int) -> Problem:
    """The problem for every `step`-th example, with its own PCA."""
    x, rows = problem.x[::step], problem.centred[::step]
    shift = rows.mean(axis=0)
    rows = rows - shift
    data = moments_of_centred(rows, problem.moments.mean + shift, rms_row_norm(x))
    return problem._replace(x=x, centred=rows, moments=data, pca=pca_of_moments(data))


def rounding(problem: Problem) -> float:
    """Rounding error of R's singular values, ε ((√(mn) + 50) σ_1 + ‖x‖_F/√m).

    The first term is the backward error of QR and SVD, √(mn) ε with high probability instead of
    mn ε, plus the deflation threshold; the second is `stored_rounding`, which is large if the
    offset is large relative to the spread.

    Args:
        problem: data.

    Returns:
        The error ρ, in the units of σ.

    Source: Higham 2002, theorem 19.4 (QR); Higham & Mary 2019 (√N for N).
    """
    largest = np.sqrt(problem.pca.eigenvalues[0])
    sizes = np.sqrt(problem.x.size) + DEFLATION
    return EPSILON * float(sizes * largest) + stored_rounding(problem)


def stored_rounding(problem: Problem) -> float:
    """Rounding error of a row of x in float64, ε ‖x‖_F/√m; zero for integers.

    Values stored in lower precision are taken as the data, without an error of their own.
    """
    return min(problem.precision, EPSILON) * problem.moments.magnitude


def rank(problem: Problem) -> int:
    """Number of singular values of R above the rounding error."""
    return int(np.sum(problem.pca.eigenvalues > rounding(problem) ** 2))


def last_component(problem: Problem) -> int:
    """Index (from 0) of the last principal component that the data have and the code represents."""
    return min(problem.code, rank(problem)) - 1


def pca_obstacle(problem: Problem) -> Obstacle | None:
    """Obstacle to statements about principal components: k ≥ n, or no variance; else None."""
    features = problem.x.shape[1]
    if problem.code >= features:
        reason = f"code {problem.code} ≥ {features} features: the identity attains zero loss"
        return Obstacle("not applicable", reason)
    if rank(problem) == 0:
        reason = f"{zero_variance_message(problem)}: any code has zero loss"
        return Obstacle("not applicable", reason)
    return None


def zero_variance_message(problem: Problem) -> str:
    """Message for data without variance, with Σ λ in the user's unit."""
    total = np.ldexp(least_loss(problem.pca, 0), 2 * problem.exponent)
    return f"no feature varies beyond rounding (Σ λ = {total:.1e})"
