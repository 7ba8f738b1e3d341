"""Principal components from the covariance matrix: fast for many examples, with half the digits."""

import numpy as np
from jaxtyping import Float
from scipy import linalg

from aejax.theory.moments import Moments
from aejax.theory.pca import PCA, oriented


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
    examples, mean = len(x), x.mean(axis=0, dtype=np.float64)
    second = x.T @ x
    covariance = second.astype(np.float64) / examples - np.outer(mean, mean)
    eigenvalues, vectors = linalg.eigh(covariance.astype(x.dtype), driver="evd")
    rank = min(x.shape)
    eigenvalues = np.maximum(eigenvalues[::-1][:rank], 0).astype(np.float64)
    components = oriented(vectors.T[::-1][:rank].astype(np.float64))
    factor = np.sqrt(eigenvalues)[:, None] * components
    magnitude = float(np.sqrt(np.trace(second, dtype=np.float64) / examples))
    return Moments(examples, mean, factor, magnitude), PCA(mean, eigenvalues, components)
