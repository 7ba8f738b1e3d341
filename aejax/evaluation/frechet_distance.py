"""Fréchet distance between two sets of features, a measure of the quality of samples."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.types import Array


def frechet_distance(
    features: Float[Array, "examples dimensions"], other: Float[Array, "others dimensions"]
) -> Float[Array, ""]:
    """Squared Fréchet distance between normal distributions fitted to two sets of features.

    ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½), with means μ and unbiased covariances C. It is
    the Fréchet inception distance (FID) only for features of the Inception network; for others,
    name the network. The estimate is biased: compare sets of equal sizes, and a set of samples with
    the distance between two disjoint sets of data.

    The trace of the square root is the sum of singular values of R₁ R₂ᵀ, with triangular factors R
    of the centred features: no square root of a matrix, and no loss with fewer examples than
    dimensions.

    Args:
        features: features of one set, at least 2 examples.
        other: features of the other set, at least 2 examples.

    Returns:
        The distance, at least 0; 0 for equal means and covariances.

    Raises:
        ValueError: for fewer than 2 examples in a set.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> features = jnp.array([[0.0], [2.0]])
        >>> float(evaluation.frechet_distance(features, features + 3.0))
        9.0

    Source: Heusel et al. 2017; Dowson & Landau 1982 (the distance).
    """
    (mean, factor), (other_mean, other_factor) = map(_mean_and_factor, (features, other))
    root = jnp.linalg.svd(factor @ other_factor.T, compute_uv=False).sum()
    spread = jnp.sum(jnp.square(factor)) + jnp.sum(jnp.square(other_factor))
    return jnp.sum(jnp.square(mean - other_mean)) + jnp.maximum(spread - 2 * root, 0)


def _mean_and_factor(features: Array) -> tuple[Array, Array]:
    """Mean, and R with RᵀR = C, the unbiased covariance."""
    if features.shape[0] < 2:
        raise ValueError(
            f"a covariance needs at least 2 examples, got features {list(features.shape)}"
        )
    mean = jnp.mean(features, axis=0)
    centred = (features - mean) / (features.shape[0] - 1) ** 0.5
    return mean, jax.lax.linalg.qr(centred, full_matrices=False)[1]
