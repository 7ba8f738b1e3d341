"""Claims decided by seeds: a paired difference with its interval, and means with their error."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from scipy import stats


class Comparison(NamedTuple):
    """Whether a difference, paired over seeds, lies on the side that the claim says.

    mean, low, high: of the difference, and the ends of its 95 % interval by Student's t.
    holds:           whether the whole interval lies on that side of zero.
    """

    mean: float
    low: float
    high: float
    holds: bool


def below(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """The claim that values lie below a reference: the interval of values − reference does.

    Args:
        values: one a seed, two or more.
        reference: one a seed, or one number for all.

    Returns:
        The `Comparison`. A verdict asks that all of its comparisons hold, each at its own level:
        an intersection-union test, whose level is that of one and needs no correction.
    """
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, high < 0)


def above(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """The claim that values lie above a reference; see `below`."""
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, low > 0)


def interval(values: ArrayLike, confidence: float = 0.95) -> list[float]:
    """Mean over seeds, and the ends of its interval by Student's t.

    Args:
        values: one a seed, two or more.
        confidence: of the interval.

    Returns:
        [mean, low, high].

    Raises:
        ValueError: for fewer than two seeds, which have no interval.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval needs one value a seed, two or more, got {values.shape}")
    mean, error = values.mean(), stats.sem(values)
    reach = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    return [float(mean), float(mean - reach), float(mean + reach)]


def summarise(comparisons: Mapping[str, Sequence[Any]]) -> str:
    """One word for all comparisons of an experiment: confirmed, partly confirmed, not confirmed."""
    held = [bool(holds) for *_, holds in comparisons.values()]
    return "confirmed" if all(held) else "partly confirmed" if any(held) else "not confirmed"


def draw_mean(
    axis: Axes, x: ArrayLike, values: ArrayLike, style: str = "-", **settings: Any
) -> Line2D:
    """Draw the mean over seeds as a line, and a band of one standard error on each side.

    Args:
        axis: where.
        x: [points].
        values: [seeds, points], two seeds or more.
        style: of the line, as matplotlib writes it.
        settings: for `Axes.plot`, such as a label.

    Returns:
        The line.
    """
    mean, error = np.mean(values, axis=0), stats.sem(values, axis=0)
    (line,) = axis.plot(x, mean, style, **settings)
    axis.fill_between(x, mean - error, mean + error, color=line.get_color(), alpha=0.2, linewidth=0)
    return line
