"""Comparisons over seeds, those of `aejax.evaluation`, and curves of means with errors."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from scipy import stats

from aejax.evaluation import Comparison as Comparison
from aejax.evaluation import above as above
from aejax.evaluation import below as below
from aejax.evaluation import interval as interval


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
