"""Affine, invertible normalisations r = (x − shift) / scale.

The statistics are those of the training data; the same normalisation is applied to test and new
data. They are computed in float64, block by block, so the data may be memory-mapped. On concrete
arrays the map is evaluated in float64 on the host and rounded once to the requested dtype; inside
`jit` it is evaluated in the widest available dtype.
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
from aejax.repr_text import record_text

Examples = Shaped[np.ndarray | jax.Array, "m *features"]

ELEMENTS_PER_BLOCK = 2**17
"""Number of elements converted to float64 at a time, which fit in a CPU's cache."""

LARGE_SHIFT = 2.0**960
"""Bound on |shift| below which x − shift cannot overflow for any float64 x."""


class Normalisation(NamedTuple):
    """The map x ↦ (x − shift) / scale and its inverse r ↦ r · scale + shift.

    shift: float64, [*features] or a scalar.
    scale: float64, [*features] or a scalar; never zero.
    """

    shift: Float[np.ndarray, "..."]
    scale: Float[np.ndarray, "..."]

    def __repr__(self) -> str:
        return record_text(self)


def identity() -> Normalisation:
    """Identity normalisation: r = x.

    Returns:
        The `Normalisation` with the scalars shift 0 and scale 1.
    """
    return Normalisation(np.zeros(()), np.ones(()))


def unit_range(
    x: Tabular | LazyArray, *, low: float | None = None, high: float | None = None
) -> Normalisation:
    """Normalisation of [low, high] to [0, 1]: r = (x − low) / (high − low).

    Args:
        x: training data [m, *features]: an array, a `LazyArray`, lists or a DataFrame.
        low: lower bound of every feature, such as 0 for images (default: the minimum of each
            feature in x, as in scikit-learn's MinMaxScaler).
        high: upper bound, such as 255 (default: the maximum of each feature in x).

    Returns:
        The `Normalisation`, with scalars if both bounds are given, else arrays [*features]. A
        feature whose bounds coincide has scale 1 and so becomes 0.

    Raises:
        ValueError: for bounds out of order or not finite, or a range beyond float64; if a bound is
            computed from x, also for NaN or infinity, no examples, a dtype that is not real, or
            integers that float64 cannot distinguish.

    Example:
        >>> import numpy as np
        >>> from aejax import data
        >>> x = np.array([[0.0, 51.0], [255.0, 102.0]])
        >>> data.normalise(data.unit_range(x, low=0, high=255), x).tolist()
        [[0.0, 0.2], [1.0, 0.4]]
    """
    minimum, maximum = extremes(as_source(x)) if low is None or high is None else (None, None)
    lower = np.asarray(minimum if low is None else low, np.float64)
    upper = np.asarray(maximum if high is None else high, np.float64)
    distinct = low is None or high is None or lower < upper
    if not (np.isfinite(lower) & np.isfinite(upper) & (lower <= upper)).all() or not distinct:
        raise ValueError(f"low is {low} and high is {high}; expected bounds with low < high")
    with np.errstate(over="ignore"):
        scale = np.asarray(upper - lower)
    if not np.isfinite(scale).all():
        raise ValueError("x has a range beyond that of float64; divide x by 2 first")
    return Normalisation(lower, _one_where_zero(scale))


def standardise(x: Tabular | LazyArray) -> Normalisation:
    """Normalisation of each feature to mean 0 and variance 1: r_ij = (x_ij − mean_j) / deviation_j.

    The standard deviation is the biased one, √(Σ_i (x_ij − mean_j)² / m), as in scikit-learn's
    StandardScaler. A constant feature, such as a border pixel, has scale 1 and so becomes 0.

    Args:
        x: training data [m, *features]: an array, a `LazyArray`, lists or a DataFrame.

    Returns:
        The `Normalisation`, with shift and scale [*features].

    Raises:
        ValueError: for NaN or infinity, no examples, a dtype that is not real, or integers that
            float64 cannot distinguish.

    Example:
        >>> import numpy as np
        >>> from aejax import data
        >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> scaling = data.standardise(x)
        >>> data.normalise(scaling, x).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
        >>> data.denormalise(scaling, data.normalise(scaling, x)).tolist()
        [[1.0, 5.0], [3.0, 5.0]]
    """
    mean, deviation = mean_and_deviation(as_source(x))
    return Normalisation(mean, _one_where_zero(deviation))


def covariance_scale(x: Tabular | LazyArray) -> Normalisation:
    """Normalisation by the mean of each feature and √m: r_ij = (x_ij − mean_j) / √m.

    Then rᵀr is the covariance matrix of x, and PCA is the singular value decomposition of r. This
    is the normalisation of the course; models are usually trained with `standardise` or
    `unit_range`.

    Args:
        x: training data [m, *features]: an array, a `LazyArray`, lists or a DataFrame.

    Returns:
        The `Normalisation`, with shift [*features] and the scalar scale √m, where m is always the
        number of examples in the training data.

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
        normalisation: normalisation of the training data.
        x: examples [m, *features]: NumPy or JAX array, list or DataFrame.
        dtype: floating-point dtype of the result (default: that of x, float32 for integers).

    Returns:
        r, with x's shape: a JAX array if x is one, else a NumPy array.

    Raises:
        ValueError: if the features of x do not match the normalisation; for a dtype of x that is
            not real; for a dtype that is not floating point or too narrow for r.
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
    """Invert a normalisation: x = r · scale + shift.

    Args:
        normalisation: normalisation that r was computed with.
        r: normalised examples [m, *features]: NumPy or JAX array, list or DataFrame.
        dtype: floating-point dtype of the result (default: that of r, float32 for integers).

    Returns:
        x, with r's shape: a JAX array if r is one, else a NumPy array.

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
    """Check and convert: x as an array, the dtype of the result, the normalisation in float64."""
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
        raise ValueError(f"dtype must be floating point, got {dtype}; round the result if needed")
    return x, np.dtype(dtype).newbyteorder("="), normalisation


def _must_stay(x: jax.Array) -> bool:
    """Whether x cannot be copied to the host: traced, or distributed over processes."""
    return isinstance(x, Tracer) or not x.is_fully_addressable


def _computed(
    compute: Callable[[np.ndarray], np.ndarray], x: Examples, dtype: np.dtype
) -> Examples:
    """Apply a function, which may modify its argument, to float64 blocks and round to dtype.

    Raises ValueError on overflow.
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


def _check_overflow(source: np.ndarray, result: np.ndarray) -> None:
    """Reject a result that is not finite for a finite value."""
    finite = np.isfinite(source) if is_floating(source.dtype) else np.True_
    overflow = finite & ~np.isfinite(result)
    if overflow.any():
        value = float(np.broadcast_to(source, result.shape)[overflow][0])
        raise ValueError(
            f"{value:g} becomes a value beyond the range of {result.dtype}; use a wider dtype, or "
            "scale the data"
        )


def _overflow_guard(shift: np.ndarray) -> np.ndarray:
    """Factor 1/2 for shifts whose sum with x might overflow, else 1."""
    return np.where(np.abs(shift) < LARGE_SHIFT, 1.0, 0.5)


def _normalise_traced(normalisation: Normalisation, x: jax.Array, dtype: np.dtype) -> jax.Array:
    """`normalise` with shift and wide integers split in two parts, so that no digits are lost."""
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
    """Shift and scale in the widest dtype inside `jit`; ValueError if they are out of its range."""
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
