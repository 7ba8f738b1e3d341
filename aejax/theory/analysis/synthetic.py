"""Synthetic data with a given covariance spectrum."""

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

    x = √m U Λ^½ Vᵀ; U and V have orthonormal columns, those of U with mean zero, from QR
    factorisations of normal draws. By Eckart–Young the minimum loss of k code units is Σ_{i>k} λ_i.

    Args:
        key: PRNG key of U and V.
        eigenvalues: eigenvalues of S = xᵀx/m; those not given are zero.
        examples: m, greater than the number of eigenvalues, because of the centring.
        features: n, at least the number of eigenvalues (default: their number).

    Returns:
        x [m, n], float64, with mean zero.

    Raises:
        ValueError: if an eigenvalue is negative or not finite, or m or n is too small.
    """
    values = np.asarray(eigenvalues, np.float64)
    count, features = len(values), features or len(values)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"eigenvalues must be finite and not negative, got {values.tolist()}")
    if examples <= count or features < count:
        raise ValueError(
            f"{count} eigenvalues need more than {count} examples and at least {count} features, "
            f"got {examples} and {features}"
        )
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    scores = generator.normal(size=(examples, count))
    left, _ = np.linalg.qr(scores - scores.mean(axis=0))
    right, _ = np.linalg.qr(generator.normal(size=(features, count)))
    return np.sqrt(examples) * (left * np.sqrt(values)) @ right.T
