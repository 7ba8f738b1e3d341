"""Comparisons over seeds: paired differences with Student t intervals, and means with errors."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from scipy import stats


class Comparison(NamedTuple):
    """A paired difference over seeds, and whether it is on the claimed side of zero.

    mean:  mean difference.
    low:   lower end of its 95 % interval (Student's t).
    high:  upper end of the interval.
    holds: whether the whole interval is on the claimed side of zero.
    """

    mean: float
    low: float
    high: float
    holds: bool


def below(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """Compare for the claim that values are below a reference: values − reference < 0.

    Args:
        values: one value per seed, at least two.
        reference: one value per seed, or one for all seeds.

    Returns:
        The `Comparison`. If all comparisons of an experiment must hold, each is tested at its own
        level: an intersection-union test needs no correction for multiple comparisons.
    """
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, high < 0)


def above(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """Compare for the claim that values are above a reference; see `below`."""
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, low > 0)


def interval(values: ArrayLike, confidence: float = 0.95) -> list[float]:
    """Compute the mean over seeds and its Student t interval.

    Args:
        values: one value per seed, at least two.
        confidence: confidence level of the interval.

    Returns:
        [mean, low, high].

    Raises:
        ValueError: if there are fewer than two seeds.
    """
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"an interval needs one value per seed, two or more, got shape {values.shape}"
        )
    mean, error = values.mean(), stats.sem(values)
    half_width = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    return [float(mean), float(mean - half_width), float(mean + half_width)]


def draw_mean(
    axis: Axes, x: ArrayLike, values: ArrayLike, style: str = "-", **settings: Any
) -> Line2D:
    """Draw the mean over seeds as a line with a band of ± one standard error.

    Args:
        axis: axis to draw on.
        x: x coordinates [points].
        values: values [seeds, points] of at least two seeds.
        style: matplotlib format of the line.
        settings: further arguments of `Axes.plot`, such as a label.

    Returns:
        The line.
    """
    mean, error = np.mean(values, axis=0), stats.sem(values, axis=0)
    (line,) = axis.plot(x, mean, style, **settings)
    axis.fill_between(x, mean - error, mean + error, color=line.get_color(), alpha=0.2, linewidth=0)
    return line
