"""Minimum, maximum, mean and standard deviation of each feature, blockwise in float64."""

import jax
import numpy as np
from jaxtyping import Float64, Shaped

from aejax.data.array_checks import check_finite
from aejax.data.dtypes import Tabular, as_array, is_integer
from aejax.data.example_blocks import blocks
from aejax.data.lazy_array import LazyArray

Source = Shaped[np.ndarray | jax.Array | LazyArray, "m *features"]
Statistic = Float64[np.ndarray, "*features"]

INTEGER_RESOLUTION = 2.0**-24
"""Maximum spacing of float64 over the range of an integer feature: float32's unit roundoff."""


def as_source(x: Tabular | LazyArray) -> Source:
    """Convert examples to an array, or a `LazyArray`, that is not empty.

    Args:
        x: examples [m, *features]: an array, a `LazyArray`, lists or a DataFrame.

    Returns:
        x as an array, or unchanged if it is lazy.

    Raises:
        ValueError: for no examples, no batch axis, or a dtype that is not real.
    """
    x = x if isinstance(x, LazyArray) else as_array(x)
    if not x.shape or 0 in x.shape:
        raise ValueError(f"x has shape {list(x.shape)}; expected [examples, *features], not empty")
    return x


def extremes(x: Source) -> tuple[Statistic, Statistic]:
    """Minimum and maximum of each feature.

    Args:
        x: examples [m, *features].

    Returns:
        (minimum, maximum), float64, [*features].

    Raises:
        ValueError: for NaN or infinity; for integers whose differences float64 cannot represent.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # checked below
        found = [(block.min(axis=0), block.max(axis=0)) for _, block in blocks(x)]
        lows, highs = (np.stack(part) for part in zip(*found, strict=True))
        low, high = lows.min(axis=0), highs.max(axis=0)
        minimum, maximum = low.astype(np.float64), high.astype(np.float64)
    if not (np.isfinite(minimum) & np.isfinite(maximum)).all():
        check_finite(x)
        raise ValueError(f"x has values beyond the range of float64, dtype {x.dtype}; scale it")
    if is_integer(x.dtype):
        _check_resolved(low, high)
    return minimum, maximum


def mean_and_deviation(x: Source) -> tuple[Statistic, Statistic]:
    """Mean and standard deviation √(Σ_i (x_ij − mean_j)² / m) of each feature.

    Two passes sum (x − origin) times a power of two; the origin is first the minimum, then the mean
    of the first pass. So neither offset nor scale of the data reduces the precision, and no square
    overflows or underflows.

    Args:
        x: examples [m, *features].

    Returns:
        (mean, deviation), float64, [*features]. For constant features the deviation is exactly 0
        and the mean is exactly the value.

    Raises:
        ValueError: as `extremes`.
    """
    minimum, maximum = extremes(x)
    magnitude = np.maximum(np.abs(minimum), np.abs(maximum))
    factor = np.ldexp(1.0, np.clip(-np.frexp(magnitude)[1], -1022, 1022))
    origin = minimum * factor
    origin = origin + _moments(x, factor, origin)[0]
    residual, square = _moments(x, factor, origin)
    mean = np.clip((origin + residual) / factor, minimum, maximum)
    # Bounded by the magnitude, because a rounded root could overflow.
    deviation = np.minimum(np.sqrt(square - residual**2), magnitude * factor) / factor
    smallest = np.finfo(np.float64).smallest_subnormal
    deviation = np.where(minimum < maximum, np.maximum(deviation, smallest), 0.0)
    return mean, deviation


def _moments(x: Source, factor: Statistic, origin: Statistic) -> tuple[Statistic, Statistic]:
    """Mean of y and of y² for y = x · factor − origin."""
    total, squares = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for _, block in blocks(x):
        y = block.astype(np.float64)
        y *= factor
        y -= origin
        total += y.sum(axis=0)
        squares += np.square(y, out=y).sum(axis=0)
    return total / x.shape[0], squares / x.shape[0]


def _check_resolved(low: np.ndarray, high: np.ndarray) -> None:
    """Check that float64 resolves the differences of integers."""
    spacing = np.spacing(np.maximum(np.abs(low.astype(float)), np.abs(high.astype(float))))
    if (spacing <= 1).all():
        return
    exact = high.astype(object) - low.astype(object)  # Python integers do not overflow
    ranges = np.asarray(exact, np.float64)
    lost = (spacing > 1) & (ranges > 0) & (spacing > INTEGER_RESOLUTION * ranges)
    if lost.any():
        raise ValueError(
            f"feature {_first_index(lost)} of x has integers from {low[lost][0]} to "
            f"{high[lost][0]}, whose differences float64 cannot represent; subtract an offset "
            "first, such as x.min(axis=0)"
        )


def _first_index(found: np.ndarray) -> list[int]:
    """Index of the first True entry."""
    return [int(i) for i in np.unravel_index(np.argmax(found), found.shape)]
