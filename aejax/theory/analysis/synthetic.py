"""Data whose spectrum is known before it is made."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float64

from aejax.types import Key


def with_spectrum(
    key: Key,
    eigenvalues: Sequence[float] | Float64[np.ndarray, " components"],
    *,
    examples: int,
    features: int | None = None,
) -> Float64[np.ndarray, "examples features"]:
    """Random centred data whose covariance has given eigenvalues, up to rounding.

    x = √m U Λ^½ Vᵀ, U with orthonormal columns that sum to zero, V with orthonormal columns, both
    from the QR of normal draws. By Eckart–Young the least loss of k code units is then
    Σ_{i>k} λ_i, which a test may know in advance.

    Args:
        key: for U and V.
        eigenvalues: of S = xᵀx/m; those that the features leave over are zero.
        examples: m, more than there are eigenvalues: centring costs one.
        features: n, as many as the eigenvalues or more; as many unless given.

    Returns:
        x [m, n], float64, with mean zero.

    Raises:
        ValueError: where an eigenvalue is negative or not finite, or m or n is too small.
    """
    values = np.asarray(eigenvalues, np.float64)
    count, features = len(values), features or len(values)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"eigenvalues must be finite and not negative, got {values.tolist()}")
    if examples <= count or features < count:
        raise ValueError(
            f"{count} eigenvalues take more than {count} examples and {count} features or more, "
            f"got {examples} and {features}"
        )
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    scores = generator.normal(size=(examples, count))
    left, _ = np.linalg.qr(scores - scores.mean(axis=0))
    right, _ = np.linalg.qr(generator.normal(size=(features, count)))
    return np.sqrt(examples) * (left * np.sqrt(values)) @ right.T
