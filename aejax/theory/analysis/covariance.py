"""PCA by eigendecomposition of S or the Gram matrix: faster than the SVD, half as many digits.

The smaller one is computed: the Gram matrix R Rᵀ if there are fewer examples than features.
Examples are centred before multiplication, so that an offset costs no digits, and scaled by a power
of two, so that no square over- or underflows. The scale is that of the spread, so that a large
constant feature does not affect the others.
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
"""Maximum matrix size for which the eigendecomposition need not be interruptible."""

FEATURES_PER_BLOCK = 4096
"""Number of features per block in the accumulation of a Gram matrix."""

MAX_SCALED_EXPONENT = 126
"""Maximum exponent of examples that are scaled but not yet centred, within float32's range."""

_ROWS_PER_GROUP = 256


def analyse_covariance(
    x: Float[np.ndarray, "examples features"], *, dtype: DTypeLike | None = None
) -> tuple[Moments, PCA]:
    """Moments and components by `covariance_pca`.

    Args:
        x: finite data, float32 or float64.
        dtype: dtype of the products and eigenvectors (default: that of x).

    Returns:
        The moments, with the factor T = Λ^½ Vᵀ (orthogonal rows, not triangular), and the
        components.

    Raises:
        ValueError: if squares of x overflow float64.
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
    """Principal components by the eigenvectors of S = RᵀR, or of R Rᵀ if that is smaller.

    S squares the condition number: eigenvalues have an error of about ε λ_1, with ε of `dtype`,
    against ε √(λ_1 λ_i) of `pca(x)`, with ε of float64. Nearly all of the time is matrix products.
    x is read twice, block by block: for its mean and range, and for S. Sums of blocks are
    accumulated in float64.

    Args:
        x: finite data, float32 or float64.
        dtype: dtype of the products and eigenvectors (default: that of x).
        components: number of leading components (default: all).

    Returns:
        `PCA`. Eigenvalues that are negative because of rounding are set to zero.

    Raises:
        ValueError: if squares of x overflow float64.

    Source: Golub & Van Loan 2013, §8.6.
    """
    limit = min(x.shape)
    return _analyse(x, dtype, limit if components is None else min(components, limit))[0]


class Scaler(NamedTuple):
    """The affine map x -> (x − mean)·scale to data of about zero mean and unit range.

    mean:  mean of each feature, float64, up to the rounding of one sum.
    scale: a power of two, so that scaling is exact.
    """

    mean: Float64[np.ndarray, " features"]
    scale: float

    def apply(self, block: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """Centre and scale a block of examples, in a dtype."""
        rows = block.astype(dtype, copy=False) * np.asarray(self.scale, dtype)
        rows -= (self.mean * self.scale).astype(dtype)
        return rows


def find_scaler(x: Float[np.ndarray, "examples features"]) -> Scaler:
    """Compute centring and scaling in one pass over the data.

    Args:
        x: finite data.

    Returns:
        The `Scaler`.

    Raises:
        ValueError: if squares of x overflow float64.
    """
    total, largest = np.zeros(x.shape[1]), 0.0
    low, high = np.full(x.shape[1], np.inf), np.full(x.shape[1], -np.inf)
    for _, block in blocks(x):
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        largest = max(float(high.max()), -float(low.min()))
        if not np.isfinite(largest * largest * x.shape[1]):
            raise ValueError("x must contain finite numbers whose squares do not overflow float64")
        total += block.sum(axis=0, dtype=np.float64)
    limit = -int(np.finfo(x.dtype).minexp)  # a larger scale would overflow
    exponent = min(
        -np.frexp(float((high - low).max()) or largest)[1],
        MAX_SCALED_EXPONENT - np.frexp(largest)[1],
    )
    # The mean of a constant feature must be its value, from which a rounded sum/m may differ.
    mean = np.clip(total / x.shape[0], low, high)
    return Scaler(mean, float(np.ldexp(1.0, np.clip(exponent, -limit, limit))))


def _analyse(x: np.ndarray, dtype: DTypeLike | None, components: int) -> tuple[PCA, np.ndarray]:
    """Leading components, and the residue of the mean (see `Moments`)."""
    scaler = find_scaler(x)
    analyse = _from_gram if x.shape[0] < x.shape[1] else _from_covariance
    shift, eigenvalues, vectors = analyse(x, scaler, np.dtype(dtype or x.dtype), components)
    eigenvalues = np.maximum(eigenvalues, 0).astype(np.float64) / scaler.scale / scaler.scale
    mean, residue = two_sum(scaler.mean, shift / scaler.scale)
    return PCA(mean, eigenvalues, orient_signs(vectors.astype(np.float64))), residue


Analysis = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Correction of the mean, eigenvalues in descending order, eigenvectors as rows."""


def _from_covariance(x: np.ndarray, scaler: Scaler, dtype: np.dtype, components: int) -> Analysis:
    examples, features = x.shape
    total, second = np.zeros(features), np.zeros((features, features))
    for _, block in blocks(x):
        rows = scaler.apply(block, dtype)
        total += _sum_over_rows(rows)
        second += rows.T @ rows
    shift = total / examples
    eigenvalues, vectors = _eigh((second / examples - np.outer(shift, shift)).astype(dtype))
    return shift, eigenvalues[:components], vectors[:components]


def _from_gram(x: np.ndarray, scaler: Scaler, dtype: np.dtype, components: int) -> Analysis:
    """R Rᵀ = U Λ Uᵀ gives RᵀU = V Λ^½; QR gives orthonormal V also for λ_i = 0."""
    examples, features = x.shape
    gram, shift = np.zeros((examples, examples)), np.zeros(features)
    columns = [
        slice(start, start + FEATURES_PER_BLOCK) for start in range(0, features, FEATURES_PER_BLOCK)
    ]

    def centred(part: slice) -> np.ndarray:
        rows = Scaler(scaler.mean[part], scaler.scale).apply(np.asarray(x[:, part]), dtype)
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
    else:  # several times faster; one thread, as NumPy's BLAS threads busy-wait on the cores
        with threadpool_limits(1):
            eigenvalues, vectors = linalg.eigh(matrix, driver="evd")
    return eigenvalues[::-1], vectors.T[::-1]


def _sum_over_rows(rows: np.ndarray) -> np.ndarray:
    """Sum over rows: within groups by BLAS in their dtype, then over groups in float64."""
    grouped = len(rows) // _ROWS_PER_GROUP * _ROWS_PER_GROUP
    groups = rows[:grouped].reshape(-1, _ROWS_PER_GROUP, rows.shape[1])
    sums = (np.ones(_ROWS_PER_GROUP, rows.dtype) @ groups).sum(axis=0, dtype=np.float64)
    return sums + rows[grouped:].sum(axis=0, dtype=np.float64)
