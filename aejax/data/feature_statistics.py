"""Extremes, mean and deviation of each feature, in float64 and block by block."""

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
"""Greatest share of a feature's range that float64 may round away: the precision of float32."""


def as_source(x: Tabular | LazyArray) -> Source:
    """Examples of which statistics can be taken, as an array or lazy.

    Args:
        x: [m, *features]: an array, lazy examples, lists or a DataFrame.

    Returns:
        x, as an array unless it is lazy.

    Raises:
        ValueError: no examples, no batch axis, or a dtype that is not real.
    """
    x = x if isinstance(x, LazyArray) else as_array(x)
    if not x.shape or 0 in x.shape:
        raise ValueError(f"x has shape {list(x.shape)}; expected [examples, *features], not empty")
    return x


def extremes(x: Source) -> tuple[Statistic, Statistic]:
    """The least and the greatest value of each feature.

    Args:
        x: [m, *features].

    Returns:
        (least, greatest), float64, [*features].

    Raises:
        ValueError: NaN or infinity; integers whose differences float64 cannot hold.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # which is refused below
        found = [(block.min(axis=0), block.max(axis=0)) for _, block in blocks(x)]
        lows, highs = (np.stack(part) for part in zip(*found, strict=True))
        low, high = lows.min(axis=0), highs.max(axis=0)
        least, greatest = low.astype(np.float64), high.astype(np.float64)
    if not (np.isfinite(least) & np.isfinite(greatest)).all():
        check_finite(x)
        raise ValueError(f"x has values beyond the range of float64, dtype {x.dtype}; scale it")
    if is_integer(x.dtype):
        _check_resolved(low, high)
    return least, greatest


def mean_and_deviation(x: Source) -> tuple[Statistic, Statistic]:
    """The mean of each feature, and its standard deviation √(Σ_i (x_ij − mean_j)² / m).

    Sums are those of (x − origin) times a power of two, the origin being the least value and then
    the mean so found: neither the offset nor the unit of the data costs precision, and no square
    overflows or underflows.

    Args:
        x: [m, *features].

    Returns:
        (mean, deviation), float64, [*features], each rounded once; the deviation is 0 exactly for
        constant features, of which the mean is exactly the value.

    Raises:
        ValueError: as `extremes`.
    """
    least, greatest = extremes(x)
    magnitude = np.maximum(np.abs(least), np.abs(greatest))
    factor = np.ldexp(1.0, np.clip(-np.frexp(magnitude)[1], -1022, 1022))
    origin = least * factor
    origin = origin + _moments(x, factor, origin)[0]
    left, square = _moments(x, factor, origin)
    mean = np.clip((origin + left) / factor, least, greatest)
    # Never above the magnitude, where a rounded root could overflow.
    deviation = np.minimum(np.sqrt(square - left**2), magnitude * factor) / factor
    smallest = np.finfo(np.float64).smallest_subnormal
    deviation = np.where(least < greatest, np.maximum(deviation, smallest), 0.0)
    return mean, deviation


def _moments(x: Source, factor: Statistic, origin: Statistic) -> tuple[Statistic, Statistic]:
    """Mean of y and of y², y = x · factor − origin."""
    total, squares = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for _, block in blocks(x):
        y = block.astype(np.float64)
        y *= factor
        y -= origin
        total += y.sum(axis=0)
        squares += np.square(y, out=y).sum(axis=0)
    return total / x.shape[0], squares / x.shape[0]


def _check_resolved(low: np.ndarray, high: np.ndarray) -> None:
    """Refuse integers that float64 rounds to a few values of their range."""
    spacing = np.spacing(np.maximum(np.abs(low.astype(float)), np.abs(high.astype(float))))
    if (spacing <= 1).all():
        return
    exact = high.astype(object) - low.astype(object)  # Python's integers, which do not overflow
    ranges = np.asarray(exact, np.float64)
    lost = (spacing > 1) & (ranges > 0) & (spacing > INTEGER_RESOLUTION * ranges)
    if lost.any():
        raise ValueError(
            f"feature {_first(lost)} of x holds integers from {low[lost][0]} to {high[lost][0]}, "
            "whose differences float64 cannot hold; subtract an offset first, such as x.min(axis=0)"
        )


def _first(found: np.ndarray) -> list[int]:
    """The index of the first feature that is found."""
    return [int(i) for i in np.unravel_index(np.argmax(found), found.shape)]
