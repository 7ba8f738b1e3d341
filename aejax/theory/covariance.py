"""Principal components from the covariance matrix: fast for many examples, with half the digits."""

import numpy as np
from jaxtyping import Float
from scipy import linalg
from threadpoolctl import threadpool_limits

from aejax.theory.moments import Moments
from aejax.theory.pca import PCA, oriented

_BLOCK = 256


def analyse_covariance(
    x: Float[np.ndarray, "examples features"],
) -> tuple[Moments, PCA]:
    """Moments and components by the eigenvectors of S = XᵀX/m − x̄ x̄ᵀ, in x's own dtype.

    S squares the condition number: an eigenvalue is known to about ε (λ_1 + ‖x̄‖²), where
    `pca(x)` knows it to about ε √(λ_1 λ_i), with ε of x's dtype here and of float64 there. One
    product of matrices is nearly all of its time.

    Args:
        x: finite, of float32 or float64.

    Returns:
        The moments, whose factor T = Λ^½ Vᵀ has orthogonal rows here and is not triangular, and
        the components. Eigenvalues that rounding has taken below zero are zero.

    Source: Golub & Van Loan 2013, §8.6.
    """
    examples, mean = len(x), _mean(x)
    second = x.T @ x
    covariance = second.astype(np.float64) / examples - np.outer(mean, mean)
    # SciPy's threads would have to share the cores with NumPy's, which wait for work by turning.
    with threadpool_limits(1):
        eigenvalues, vectors = linalg.eigh(covariance.astype(x.dtype), driver="evd")
    rank = min(x.shape)
    eigenvalues = np.maximum(eigenvalues[::-1][:rank], 0).astype(np.float64)
    components = oriented(vectors.T[::-1][:rank].astype(np.float64))
    factor = np.sqrt(eigenvalues)[:, None] * components
    magnitude = float(np.sqrt(np.trace(second, dtype=np.float64) / examples))
    return Moments(examples, mean, factor, magnitude), PCA(mean, eigenvalues, components)


def _mean(x: np.ndarray) -> np.ndarray:
    """By blocks that BLAS adds in x's dtype, and their sums in float64: memory sets its time."""
    whole = len(x) // _BLOCK * _BLOCK
    blocks = np.ones(_BLOCK, x.dtype) @ x[:whole].reshape(-1, _BLOCK, x.shape[1])
    rest = x[whole:].sum(axis=0, dtype=np.float64)
    return (blocks.sum(axis=0, dtype=np.float64) + rest) / len(x)
