"""The problem that every theorem is asked about: the user's data, a code size, and a key.

Every theorem is a function of one record, as every penalty is, so that the data is analysed once
and a new theorem touches nothing else.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.certificate import Certificate, Obstacle
from aejax.theory.moments import Moments, moments, real_matrix
from aejax.theory.pca import PCA, least_loss, pca_of_moments
from aejax.types import Array, Key

EPSILON = float(np.finfo(np.float64).eps)

DEFLATION = 50.0
"""Roundings ε at which LAPACK's iterations for singular values take a matrix for diagonal.

An off-diagonal entry is zero where it is below u^(−1/8) u of its neighbours, u = ε/2 (Demmel &
Kahan 1990), or below 64 u of the largest (divide and conquer), whatever the size of the matrix.
"""


class Problem(NamedTuple):
    """The user's data, posed.

    x:       [m, n], float64.
    code:    k, the size of the code.
    key:     for theorems that draw; each uses it as if it were alone, so that it answers the same
             alone as among the others.
    moments: of x.
    pca:     of x.
    """

    x: Float64[np.ndarray, "examples features"]
    code: int
    key: Key
    moments: Moments
    pca: PCA


Theorem = Callable[[Problem], tuple[Certificate, ...]]
"""A theorem: what it claims of a problem, each claim with its certificate."""


def pose(x: Shaped[np.ndarray | Array, "..."], code: int, *, key: Key | None = None) -> Problem:
    """Pose the problem: take the data to float64 and analyse it once for every theorem.

    Args:
        x: [examples, features], any real dtype.
        code: k ≥ 1, the size of the code.
        key: for random starts and random changes of code; None means `jax.random.key(0)`.

    Returns:
        The `Problem`.

    Raises:
        ValueError: where x is not a finite real matrix, or the code size is below one.
    """
    if code < 1:
        raise ValueError(f"code must be one or more, got {code}")
    x = real_matrix(x)
    data = moments(x)
    return Problem(x, code, jax.random.key(0) if key is None else key, data, pca_of_moments(data))


def rounding(problem: Problem) -> float:
    """Rounding error of R's singular values, ε ((√(mn) + 50) σ_1 + ‖x‖_F/√m).

    The first term is that of the factorisations (a backward error of γ_{mn}), with √N ε for γ_N,
    which holds with high probability, and of where their iterations stop; the second is that of x
    as it was stored, which an offset makes large against the spread.

    Args:
        problem: the problem.

    Returns:
        The error ρ, in the units of σ.

    Source: Higham 2002, theorem 19.4 (QR); Higham & Mary 2019 (√N for N).
    """
    largest = np.sqrt(problem.pca.eigenvalues[0])
    sizes = np.sqrt(problem.x.size) + DEFLATION
    return EPSILON * float(sizes * largest + problem.moments.magnitude)


def rank(problem: Problem) -> int:
    """Number of singular values of R beyond its rounding error, that have squares float64 can hold.

    The second condition matters for data near 10⁻¹⁵⁰ alone.
    """
    floor = max(rounding(problem) ** 2, float(np.finfo(np.float64).tiny) / EPSILON)
    return int(np.sum(problem.pca.eigenvalues > floor))


def last_component(problem: Problem) -> int:
    """Index from zero of the last principal component that the code keeps and the data has."""
    return min(problem.code, rank(problem)) - 1


def inapplicable(problem: Problem) -> Obstacle | None:
    """Why no statement about principal components applies: a code as wide as x, or no variance."""
    features = problem.x.shape[1]
    if problem.code >= features:
        reason = f"code {problem.code} ≥ {features} features: the identity attains zero loss"
        return Obstacle("not applicable", reason)
    if rank(problem) == 0:
        total = least_loss(problem.pca, 0)
        reason = f"no feature varies beyond rounding (Σ λ = {total:.1e}): any code has zero loss"
        return Obstacle("not applicable", reason)
    return None
