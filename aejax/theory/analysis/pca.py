"""Principal component analysis of the normalised data R, r_ij = (x_ij − x̄_j)/√m."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from aejax.theory.analysis.moments import Moments, moments
from aejax.types import Array


class PCA(NamedTuple):
    """Principal components in float64, with r = min(m, n); further eigenvalues are zero.

    mean:        x̄ [n].
    eigenvalues: λ_1 ≥ … ≥ λ_r ≥ 0 [r] of S = RᵀR. S divides by m; scikit-learn's
                 `explained_variance_` divides by m − 1 and is m/(m − 1) times as large.
    components:  V_rᵀ [r, n], one unit eigenvector per row. Signs: the (first) entry of largest
                 magnitude in each row is positive.
    """

    mean: Float64[np.ndarray, " features"]
    eigenvalues: Float64[np.ndarray, " components"]
    components: Float64[np.ndarray, "components features"]


def pca(x: Shaped[np.ndarray | Array, "..."]) -> PCA:
    """Principal components of x by the singular value decomposition R = U Σ Vᵀ, λ_i = σ_i².

    Args:
        x: [examples, features], any real dtype; converted to float64.

    Returns:
        `PCA`, float64.

    Raises:
        ValueError: if x is not a finite real matrix.

    Source: Bourlard & Kamp 1988; Eckart & Young 1936.
    """
    return pca_of_moments(moments(x))


def pca_of_moments(data: Moments) -> PCA:
    """Principal components from moments: T has R's singular values and right singular vectors."""
    _, singular_values, components = np.linalg.svd(data.factor, full_matrices=False)
    return PCA(data.mean, np.square(singular_values), orient_signs(components))


def orient_signs(
    components: Float64[np.ndarray, "components features"],
) -> Float64[np.ndarray, "components features"]:
    """Flip the sign of rows so that the entry of largest magnitude in each is positive."""
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return components * signs[:, None]


def leading_components(analysis: PCA, code: int) -> Float64[np.ndarray, "code features"]:
    """V_kᵀ [k, n], padded with zero rows (unused code units) if there are fewer components."""
    components = analysis.components[:code]
    return np.pad(components, ((0, code - len(components)), (0, 0)))


def least_loss(analysis: PCA, code: int) -> float:
    """Minimum loss of a linear autoencoder with k code units, Σ_{i>k} λ_i.

    The loss is the mean over examples of Σ_j (x̂_j − x_j)², which is ‖R − R W_e W_d‖²_F.

    Args:
        analysis: principal components of the data.
        code: code size k ≥ 0.

    Returns:
        The minimum loss.

    Source: Eckart & Young 1936; Baldi & Hornik 1989.
    """
    return float(analysis.eigenvalues[code:].sum())
