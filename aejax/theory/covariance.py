"""Principal components from the covariance matrix: fast for many examples, with half the digits."""

import numpy as np
from jaxtyping import Float
from numpy.typing import DTypeLike
from scipy import linalg
from threadpoolctl import threadpool_limits

from aejax.data.blocks import blocks
from aejax.theory.moments import Moments
from aejax.theory.pca import PCA, oriented

_ROWS = 256


def analyse_covariance(
    x: Float[np.ndarray, "examples features"], *, dtype: DTypeLike | None = None
) -> tuple[Moments, PCA]:
    """Moments and components by the eigenvectors of S = XᵀX/m − x̄ x̄ᵀ.

    S squares the condition number: an eigenvalue is known to about ε (λ_1 + ‖x̄‖²), where
    `pca(x)` knows it to about ε √(λ_1 λ_i), with ε of `dtype` here and of float64 there. Products
    of matrices are nearly all of its time; x is taken block by block, and their sums in float64.

    Args:
        x: finite, of float32 or float64.
        dtype: of the products and eigenvectors; x's own unless given.

    Returns:
        The moments, whose factor T = Λ^½ Vᵀ has orthogonal rows here and is not triangular, and
        the components. Eigenvalues that rounding has taken below zero are zero.

    Source: Golub & Van Loan 2013, §8.6.
    """
    examples, features = x.shape
    total, second = np.zeros(features), np.zeros((features, features))
    for _, block in blocks(x):
        rows = block.astype(dtype or x.dtype, copy=False)
        total += _sum(rows)
        second += rows.T @ rows
    mean = total / examples
    covariance = second / examples - np.outer(mean, mean)
    # SciPy's threads would have to share the cores with NumPy's, which wait for work by turning.
    with threadpool_limits(1):
        eigenvalues, vectors = linalg.eigh(covariance.astype(dtype or x.dtype), driver="evd")
    rank = min(x.shape)
    eigenvalues = np.maximum(eigenvalues[::-1][:rank], 0).astype(np.float64)
    components = oriented(vectors.T[::-1][:rank].astype(np.float64))
    factor = np.sqrt(eigenvalues)[:, None] * components
    magnitude = float(np.sqrt(np.trace(second) / examples))
    return Moments(examples, mean, factor, magnitude), PCA(mean, eigenvalues, components)


def _sum(rows: np.ndarray) -> np.ndarray:
    """Of some rows at a time by BLAS in their dtype, and of these in float64: memory is slower."""
    whole = len(rows) // _ROWS * _ROWS
    sums = np.ones(_ROWS, rows.dtype) @ rows[:whole].reshape(-1, _ROWS, rows.shape[1])
    return sums.sum(axis=0, dtype=np.float64) + rows[whole:].sum(axis=0, dtype=np.float64)
