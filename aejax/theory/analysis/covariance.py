"""Principal components from the covariance or Gram matrix: faster than the SVD, half its digits.

Where examples are fewer than features, the Gram matrix takes the covariance's place: the smaller
of the two is formed. Examples are centred before they are multiplied, so that an offset costs no
digits, and scaled by a power of two, so that no square over- or underflows. The scale is that of
the differences: a constant feature, however large, costs the others nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64
from numpy.typing import DTypeLike
from scipy import linalg
from threadpoolctl import threadpool_limits

from aejax.data.example_blocks import blocks
from aejax.theory.analysis.centring import two_sum
from aejax.theory.analysis.interruptible import interruptible
from aejax.theory.analysis.moments import Moments
from aejax.theory.analysis.pca import PCA, orient_signs

MAX_UNINTERRUPTED_SIZE = 1024
"""Size of a matrix whose eigenvectors take so little time that no signal has to interrupt it."""

FEATURES_PER_BLOCK = 4096
"""Features of which a Gram matrix is accumulated at a time."""

MAX_SCALED_EXPONENT = 126
"""Exponent that scaled examples stay below, so that float32 holds them before they are centred."""

_ROWS = 256


def analyse_covariance(
    x: Float[np.ndarray, "examples features"], *, dtype: DTypeLike | None = None
) -> tuple[Moments, PCA]:
    """Moments and components by `covariance_pca`.

    Args:
        x: finite, of float32 or float64.
        dtype: of the products and eigenvectors (default: x's own).

    Returns:
        The moments, whose factor T = Λ^½ Vᵀ has orthogonal rows here and is not triangular, and
        the components.

    Raises:
        ValueError: for numbers whose squares overflow float64.
    """
    analysis, residue = _analyse(x, dtype, min(x.shape))
    factor = np.sqrt(analysis.eigenvalues)[:, None] * analysis.components
    magnitude = float(np.sqrt(analysis.eigenvalues.sum() + np.square(analysis.mean).sum()))
    return Moments(x.shape[0], analysis.mean, factor, magnitude, residue), analysis


def covariance_pca(
    x: Float[np.ndarray, "examples features"],
    *,
    dtype: DTypeLike | None = None,
    components: int | None = None,
) -> PCA:
    """Principal components by the eigenvectors of S = RᵀR, or of R Rᵀ where that is smaller.

    S squares the condition number: an eigenvalue is known to about ε λ_1, where `pca(x)` knows it
    to about ε √(λ_1 λ_i), with ε of `dtype` here and of float64 there. Products of matrices are
    nearly all of its time. x is read twice, block by block: for its mean and range, and for S;
    sums of blocks are accumulated in float64.

    Args:
        x: finite, of float32 or float64.
        dtype: of the products and eigenvectors (default: x's own).
        components: how many leading ones to return (default: all).

    Returns:
        `PCA`. Eigenvalues that rounding has taken below zero are zero.

    Raises:
        ValueError: for numbers whose squares overflow float64.

    Source: Golub & Van Loan 2013, §8.6.
    """
    most = min(x.shape)
    return _analyse(x, dtype, most if components is None else min(components, most))[0]


class Normaliser(NamedTuple):
    """The affine map x -> (x − mean)·scale that brings examples near 0 and to about unit range.

    mean:  of each feature, float64, up to the rounding of one sum.
    scale: a power of two, so that scaling is exact.
    """

    mean: Float64[np.ndarray, " features"]
    scale: float

    def map(self, block: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """The examples of a block, centred and scaled, in a dtype."""
        rows = block.astype(dtype, copy=False) * np.asarray(self.scale, dtype)
        rows -= (self.mean * self.scale).astype(dtype)
        return rows


def find_normaliser(x: Float[np.ndarray, "examples features"]) -> Normaliser:
    """The centring and scaling of examples, from one pass over them.

    Args:
        x: finite.

    Returns:
        The `Origin`.

    Raises:
        ValueError: for numbers whose squares overflow float64.
    """
    total, largest = np.zeros(x.shape[1]), 0.0
    low, high = np.full(x.shape[1], np.inf), np.full(x.shape[1], -np.inf)
    for _, block in blocks(x):
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        largest = max(float(high.max()), -float(low.min()))
        if not np.isfinite(largest * largest * x.shape[1]):
            raise ValueError("x must hold finite numbers whose squares do not overflow float64")
        total += block.sum(axis=0, dtype=np.float64)
    limit = -int(np.finfo(x.dtype).minexp)  # beyond it the scale itself would overflow
    exponent = min(
        -np.frexp(float((high - low).max()) or largest)[1],
        MAX_SCALED_EXPONENT - np.frexp(largest)[1],
    )
    # The mean of a constant feature is its value, which a sum can round away from.
    mean = np.clip(total / x.shape[0], low, high)
    return Normaliser(mean, float(np.ldexp(1.0, np.clip(exponent, -limit, limit))))


def _analyse(x: np.ndarray, dtype: DTypeLike | None, components: int) -> tuple[PCA, np.ndarray]:
    """Leading components, and the residue of their mean (see `Moments`)."""
    origin = find_normaliser(x)
    analyse = _from_gram if x.shape[0] < x.shape[1] else _from_covariance
    shift, eigenvalues, vectors = analyse(x, origin, np.dtype(dtype or x.dtype), components)
    eigenvalues = np.maximum(eigenvalues, 0).astype(np.float64) / origin.scale / origin.scale
    mean, residue = two_sum(origin.mean, shift / origin.scale)
    return PCA(mean, eigenvalues, orient_signs(vectors.astype(np.float64))), residue


Analysis = tuple[np.ndarray, np.ndarray, np.ndarray]
"""What the origin missed of the mean, eigenvalues in descending order, eigenvectors as rows."""


def _from_covariance(
    x: np.ndarray, origin: Normaliser, dtype: np.dtype, components: int
) -> Analysis:
    examples, features = x.shape
    total, second = np.zeros(features), np.zeros((features, features))
    for _, block in blocks(x):
        rows = origin.map(block, dtype)
        total += _sum(rows)
        second += rows.T @ rows
    shift = total / examples
    eigenvalues, vectors = _eigh((second / examples - np.outer(shift, shift)).astype(dtype))
    return shift, eigenvalues[:components], vectors[:components]


def _from_gram(x: np.ndarray, origin: Normaliser, dtype: np.dtype, components: int) -> Analysis:
    """R Rᵀ = U Λ Uᵀ gives RᵀU = V Λ^½, made orthonormal by QR also where λ_i = 0."""
    examples, features = x.shape
    gram, shift = np.zeros((examples, examples)), np.zeros(features)
    columns = [
        slice(start, start + FEATURES_PER_BLOCK) for start in range(0, features, FEATURES_PER_BLOCK)
    ]

    def centred(part: slice) -> np.ndarray:
        rows = Normaliser(origin.mean[part], origin.scale).map(np.asarray(x[:, part]), dtype)
        shift[part] = rows.mean(axis=0, dtype=np.float64)
        return rows - shift[part].astype(dtype)

    for part in columns:
        rows = centred(part)
        gram += rows @ rows.T
    eigenvalues, left = _eigh((gram / examples).astype(dtype))
    right = np.concatenate([centred(part).T @ left[:components].T for part in columns])
    vectors, _ = interruptible(np.linalg.qr, right.astype(np.float64))
    return shift, eigenvalues[:components], vectors.T


def _eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in descending order, and eigenvectors as rows."""
    if len(matrix) > MAX_UNINTERRUPTED_SIZE:
        eigenvalues, vectors = interruptible(np.linalg.eigh, matrix)
    else:  # several times faster; but its threads would share the cores with NumPy's, which spin
        with threadpool_limits(1):
            eigenvalues, vectors = linalg.eigh(matrix, driver="evd")
    return eigenvalues[::-1], vectors.T[::-1]


def _sum(rows: np.ndarray) -> np.ndarray:
    """Of some rows at a time by BLAS in their dtype, and of these in float64: memory is slower."""
    whole = len(rows) // _ROWS * _ROWS
    sums = np.ones(_ROWS, rows.dtype) @ rows[:whole].reshape(-1, _ROWS, rows.shape[1])
    return sums.sum(axis=0, dtype=np.float64) + rows[whole:].sum(axis=0, dtype=np.float64)
