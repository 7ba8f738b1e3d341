"""Affine normalisations r = (x − shift) / scale, each of them invertible.

The statistics come from the train data, once; the same normalisation then serves test and new data.
They are computed in float64, block by block, so the data may be memory-mapped.
"""

from math import sqrt
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float, Shaped

from aejax.data.blocks import blocks
from aejax.data.lazy import Lazy

Examples = Shaped[np.ndarray | jax.Array, "m *features"]
Source = Shaped[Lazy, "m *features"]


class Normalisation(NamedTuple):
    """The map x ↦ (x − shift) / scale, and so its inverse r ↦ r · scale + shift.

    shift: float64, [*features] or a scalar.
    scale: float64, [*features] or a scalar; never zero.
    """

    shift: Float[np.ndarray, "..."]
    scale: Float[np.ndarray, "..."]


def identity() -> Normalisation:
    """Leave the data as it is: r = x.

    Returns:
        The `Normalisation` of shift 0 and scale 1, scalars.
    """
    return Normalisation(np.zeros(()), np.ones(()))


def unit_range(
    x: Examples | Source, *, low: float | None = None, high: float | None = None
) -> Normalisation:
    """Map [low, high] onto [0, 1]: r = (x − low) / (high − low).

    Args:
        x: [m, *features], the train data.
        low: the lower bound of every feature, such as 0 for images; None takes each feature's
            least value in x, as scikit-learn's MinMaxScaler does.
        high: the upper bound, such as 255; None takes each feature's greatest value in x.

    Returns:
        Scalars where both bounds are given, else [*features]. A feature whose bounds coincide gets
        scale 1 and so becomes 0.

    Raises:
        ValueError: bounds out of order.
    """
    least, greatest = _extremes(x) if low is None or high is None else (None, None)
    lower = np.asarray(least if low is None else low, np.float64)
    upper = np.asarray(greatest if high is None else high, np.float64)
    if (upper < lower).any() or (low is not None and low == high):
        raise ValueError(f"low is {low} and high is {high}; expected bounds with low < high")
    return Normalisation(lower, _one_where_zero(np.asarray(upper - lower)))


def standardise(x: Examples | Source) -> Normalisation:
    """Give each feature mean 0 and variance 1: r_ij = (x_ij − mean_j) / deviation_j.

    The deviation is that of the population, √(Σ_i (x_ij − mean_j)² / m), as in scikit-learn's
    StandardScaler. A constant feature, such as a border pixel, gets scale 1 and so becomes 0.

    Args:
        x: [m, *features], the train data.

    Returns:
        shift and scale [*features].
    """
    mean = _mean(x)
    least, greatest = _extremes(x)
    squares = [((block - mean) ** 2).sum(axis=0) for _, block in blocks(x)]
    deviation = np.sqrt(np.sum(squares, axis=0) / x.shape[0])
    # Rounding can leave a constant feature a deviation that is not zero; its extremes can't.
    return Normalisation(mean, _one_where_zero(np.where(least == greatest, 0.0, deviation)))


def covariance_scale(x: Examples) -> Normalisation:
    """Centre each feature and divide by √m: r_ij = (x_ij − mean_j) / √m.

    Then rᵀr is the covariance matrix of x, and PCA is the singular value decomposition of r.

    Args:
        x: [m, *features], the train data.

    Returns:
        shift [*features], and the scalar scale √m, which belongs to the m of x: normalise other
        data with it and the scale stays.
    """
    return Normalisation(_mean(x), np.asarray(sqrt(x.shape[0])))


def normalise(
    normalisation: Normalisation, x: Examples, *, dtype: DTypeLike | None = None
) -> Examples:
    """Apply a normalisation: r = (x − shift) / scale.

    Args:
        normalisation: made of the train data.
        x: [m, *features], NumPy or JAX.
        dtype: of the result; None keeps a floating dtype and makes integers float32.

    Returns:
        r, shaped like x; NumPy or JAX as x was.

    Raises:
        ValueError: x has other features than the normalisation.
    """
    shift, scale = _matched(normalisation, x, dtype)
    r = x.astype(shift.dtype)  # a copy, on which NumPy works in place
    r -= shift
    r /= scale
    return r


def denormalise(
    normalisation: Normalisation, r: Examples, *, dtype: DTypeLike | None = None
) -> Examples:
    """Undo a normalisation: x = r · scale + shift.

    Args:
        normalisation: the one that made r.
        r: [m, *features], NumPy or JAX.
        dtype: of the result; None keeps a floating dtype and makes integers float32.

    Returns:
        x, shaped like r; NumPy or JAX as r was.

    Raises:
        ValueError: r has other features than the normalisation.
    """
    shift, scale = _matched(normalisation, r, dtype)
    return r.astype(shift.dtype) * scale + shift


def _matched(
    normalisation: Normalisation, x: Examples, dtype: DTypeLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale in the dtype of the result, once they are known to fit x."""
    for values in normalisation:
        if values.shape not in ((), x.shape[1:]):
            raise ValueError(
                f"the normalisation is for features of shape {values.shape}, the data has "
                f"{x.shape[1:]}; reshape the data first"
            )
    if dtype is None:
        dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else np.float32
    return normalisation.shift.astype(dtype), normalisation.scale.astype(dtype)


def _mean(x: Examples | Source) -> Float[np.ndarray, "*features"]:
    sums = [block.sum(axis=0, dtype=np.float64) for _, block in blocks(x)]
    return np.sum(sums, axis=0) / x.shape[0]


def _extremes(x: Examples | Source) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each feature."""
    extremes = [(block.min(axis=0), block.max(axis=0)) for _, block in blocks(x)]
    least, greatest = zip(*extremes, strict=True)
    return np.min(least, axis=0), np.max(greatest, axis=0)


def _one_where_zero(scale: np.ndarray) -> np.ndarray:
    return np.where(scale == 0.0, 1.0, scale)
