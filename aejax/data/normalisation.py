"""Affine normalisations r = (x − shift) / scale, each of them invertible.

The statistics come from the train data, once; the same normalisation then serves test and new data.
They are computed in float64, block by block, so the data may be memory-mapped. Applied to arrays
the map is computed in float64 on the host and rounded once, to the dtype asked for; inside `jit` in
the widest dtype there.
"""

from collections.abc import Callable
from math import prod, sqrt
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jax.typing import DTypeLike
from jaxtyping import Float, Shaped

from aejax.data.dtypes import Tabular, as_array, is_floating, is_integer
from aejax.data.feature_statistics import as_source, extremes, mean_and_deviation
from aejax.data.lazy_array import LazyArray

Examples = Shaped[np.ndarray | jax.Array, "m *features"]

ELEMENTS_PER_BLOCK = 2**17
"""Elements that are computed in float64 at a time: what a CPU's cache holds."""

LARGE_SHIFT = 2.0**960
"""Below it, x − shift cannot overflow for any float64 x."""


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
    x: Tabular | LazyArray, *, low: float | None = None, high: float | None = None
) -> Normalisation:
    """Map [low, high] onto [0, 1]: r = (x − low) / (high − low).

    Args:
        x: [m, *features], the train data: an array, lazy examples, lists or a DataFrame.
        low: the lower bound of every feature, such as 0 for images; None takes each feature's
            least value in x, as scikit-learn's MinMaxScaler does.
        high: the upper bound, such as 255; None takes each feature's greatest value in x.

    Returns:
        Scalars where both bounds are given, else [*features]. A feature whose bounds coincide gets
        scale 1 and so becomes 0.

    Raises:
        ValueError: bounds out of order or not finite, a range beyond float64; where x is looked
            at, NaN or infinity in it, no examples, a dtype that is not real, integers too large
            for float64 to tell apart.
    """
    least, greatest = extremes(as_source(x)) if low is None or high is None else (None, None)
    lower = np.asarray(least if low is None else low, np.float64)
    upper = np.asarray(greatest if high is None else high, np.float64)
    distinct = low is None or high is None or lower < upper
    if not (np.isfinite(lower) & np.isfinite(upper) & (lower <= upper)).all() or not distinct:
        raise ValueError(f"low is {low} and high is {high}; expected bounds with low < high")
    with np.errstate(over="ignore"):
        scale = np.asarray(upper - lower)
    if not np.isfinite(scale).all():
        raise ValueError("x has a range beyond that of float64; divide x by 2 first")
    return Normalisation(lower, _one_where_zero(scale))


def standardise(x: Tabular | LazyArray) -> Normalisation:
    """Give each feature mean 0 and variance 1: r_ij = (x_ij − mean_j) / deviation_j.

    The deviation is that of the population, √(Σ_i (x_ij − mean_j)² / m), as in scikit-learn's
    StandardScaler. A constant feature, such as a border pixel, gets scale 1 and so becomes 0.

    Args:
        x: [m, *features], the train data: an array, lazy examples, lists or a DataFrame.

    Returns:
        shift and scale [*features].

    Raises:
        ValueError: NaN or infinity, no examples, a dtype that is not real, integers too large for
            float64 to tell apart.
    """
    mean, deviation = mean_and_deviation(as_source(x))
    return Normalisation(mean, _one_where_zero(deviation))


def covariance_scale(x: Tabular | LazyArray) -> Normalisation:
    """Centre each feature and divide by √m: r_ij = (x_ij − mean_j) / √m.

    Then rᵀr is the covariance matrix of x, and PCA is the singular value decomposition of r.

    Args:
        x: [m, *features], the train data: an array, lazy examples, lists or a DataFrame.

    Returns:
        shift [*features], and the scalar scale √m, which belongs to the m of x: normalise other
        data with it and the scale stays.

    Raises:
        ValueError: as `standardise`.
    """
    x = as_source(x)
    return Normalisation(mean_and_deviation(x)[0], np.asarray(sqrt(x.shape[0])))


def normalise(
    normalisation: Normalisation, x: Tabular, *, dtype: DTypeLike | None = None
) -> Examples:
    """Apply a normalisation: r = (x − shift) / scale.

    Args:
        normalisation: made of the train data.
        x: [m, *features], NumPy or JAX; lists and DataFrames become NumPy.
        dtype: of the result, floating point; None keeps a floating dtype and makes integers
            float32.

    Returns:
        r, shaped like x; NumPy or JAX as x was.

    Raises:
        ValueError: x has other features than the normalisation, or a dtype that is not real; a
            dtype that is not floating point, or whose range does not hold r.
    """
    x, dtype, normalisation = _matched(normalisation, x, dtype)
    shift, scale = normalisation
    if isinstance(x, jax.Array) and _must_stay(x):
        return _normalise_traced(normalisation, x, dtype)
    factor = _overflow_guard(shift)
    shift, scale = shift * factor, scale * factor

    def compute(block: np.ndarray) -> np.ndarray:
        if factor.min(initial=1.0) < 1.0:
            block *= factor
        block -= shift
        block /= scale
        return block

    return _computed(compute, x, dtype)


def denormalise(
    normalisation: Normalisation, r: Tabular, *, dtype: DTypeLike | None = None
) -> Examples:
    """Undo a normalisation: x = r · scale + shift.

    Args:
        normalisation: the one that made r.
        r: [m, *features], NumPy or JAX; lists and DataFrames become NumPy.
        dtype: of the result, floating point; None keeps a floating dtype and makes integers
            float32.

    Returns:
        x, shaped like r; NumPy or JAX as r was.

    Raises:
        ValueError: as `normalise`.
    """
    r, dtype, normalisation = _matched(normalisation, r, dtype)
    shift, scale = normalisation
    if isinstance(r, jax.Array) and _must_stay(r):
        return _denormalise_traced(normalisation, r, dtype)
    factor = _overflow_guard(shift)
    shift, scale = shift * factor, scale * factor

    def compute(block: np.ndarray) -> np.ndarray:
        block *= scale
        block += shift
        if factor.min(initial=1.0) < 1.0:
            block /= factor
        return block

    return _computed(compute, r, dtype)


def _matched(
    normalisation: Normalisation, x: Tabular, dtype: DTypeLike | None
) -> tuple[Examples, np.dtype, Normalisation]:
    """x as an array, the dtype of the result and float64 arrays to apply, which fit each other."""
    x = as_array(x)
    normalisation = Normalisation(*(np.asarray(part, np.float64) for part in normalisation))
    for values in normalisation:
        if values.shape not in ((), x.shape[1:]) or not x.shape:
            raise ValueError(
                f"the normalisation is for features of shape {values.shape}, the data has "
                f"{x.shape[1:]}; reshape the data first"
            )
    if dtype is None:
        dtype = x.dtype if is_floating(x.dtype) else np.float32
    if not is_floating(dtype):
        raise ValueError(f"dtype must be floating point, got {dtype}; round the result yourself")
    return x, np.dtype(dtype).newbyteorder("="), normalisation


def _must_stay(x: jax.Array) -> bool:
    """Whether x cannot come to the host: traced, or with parts in other processes."""
    return isinstance(x, Tracer) or not x.is_fully_addressable


def _computed(
    compute: Callable[[np.ndarray], np.ndarray], x: Examples, dtype: np.dtype
) -> Examples:
    """A function of float64 blocks, rounded to dtype; ValueError where that overflows.

    `compute` may write to its argument.
    """
    source = np.asarray(x)
    result = np.empty(source.shape, dtype)
    step = max(1, ELEMENTS_PER_BLOCK // max(1, prod(source.shape[1:])))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, len(source), step):
            rows = slice(start, start + step)
            result[rows] = compute(source[rows].astype(np.float64))
            if not np.isfinite(result[rows]).all():
                _check_overflow(source[rows], result[rows])
    if not isinstance(x, jax.Array):
        return result
    return jax.device_put(result, x.sharding) if x.committed else jnp.asarray(result)


def _check_overflow(given: np.ndarray, found: np.ndarray) -> None:
    """Refuse a result that is not finite where the value given is."""
    finite = np.isfinite(given) if is_floating(given.dtype) else np.True_
    lost = finite & ~np.isfinite(found)
    if lost.any():
        value = float(np.broadcast_to(given, found.shape)[lost][0])
        raise ValueError(
            f"{value:g} becomes a value beyond the range of {found.dtype}; ask for a wider dtype, "
            "or scale the data"
        )


def _overflow_guard(shift: np.ndarray) -> np.ndarray:
    """Powers of two by which terms are multiplied where their sum might overflow, else 1."""
    return np.where(np.abs(shift) < LARGE_SHIFT, 1.0, 0.5)


def _normalise_traced(normalisation: Normalisation, x: jax.Array, dtype: np.dtype) -> jax.Array:
    """`normalise` with shift, and x where it is an integer, in two parts, so that none is lost."""
    shift, scale = _representable(normalisation)
    rest = (normalisation.shift - shift).astype(shift.dtype)
    is_wide = is_integer(x.dtype) and x.dtype.itemsize > 1
    high, low = (x & ~255, x & 255) if is_wide else (x, jnp.zeros((), x.dtype))
    difference = (high.astype(shift.dtype) - shift) + (low.astype(shift.dtype) - rest)
    return (difference / scale).astype(dtype)


def _denormalise_traced(normalisation: Normalisation, r: jax.Array, dtype: np.dtype) -> jax.Array:
    shift, scale = _representable(normalisation)
    return (r.astype(shift.dtype) * scale + shift).astype(dtype)


def _representable(normalisation: Normalisation) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale in the widest dtype inside `jit`; ValueError where its range lacks them."""
    widest = jax.dtypes.canonicalize_dtype(np.float64)
    limits = jnp.finfo(widest)
    shift, scale = (np.abs(part) for part in normalisation)
    if (shift > float(limits.max)).any() or (
        (scale > float(limits.max)) | (scale < float(limits.tiny))
    ).any():
        raise ValueError(
            f"shift and scale are beyond the range of {widest}; normalise outside of jit, or "
            "enable x64"
        )
    return normalisation.shift.astype(widest), normalisation.scale.astype(widest)


def _one_where_zero(scale: np.ndarray) -> np.ndarray:
    return np.where(scale == 0.0, 1.0, scale)
