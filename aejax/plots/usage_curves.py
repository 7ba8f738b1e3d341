"""Figure of how often the values of a discrete code occur."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aejax.plots.style import INK, figure_style


def usage_curves(counts: Sequence[np.ndarray], values: int | None = None) -> Figure:
    """Draw the share of each value of a discrete code, in descending order.

    Args:
        counts: occurrences of the values, an array for each level of a residual quantiser.
        values: number of values of an index, whose uniform share is drawn (default: not drawn).

    Returns:
        A figure with one panel, with logarithmic axes.

    Raises:
        ValueError: if there are no counts, or one is negative or all of a level are 0.
    """
    if not len(counts) or any(not len(each) or each.min() < 0 or not each.sum() for each in counts):
        raise ValueError(
            "usage_curves needs the counts of the values of each level, at least 0 and not all 0, "
            f"got {[np.shape(each) for each in counts]}"
        )
    with figure_style():
        figure = Figure(figsize=(6.4, 2.8))
        axis = figure.subplots()
        for level, each in enumerate(counts, start=1):
            share = np.sort(each[each > 0])[::-1] / each.sum()
            label = f"level {level}" if len(counts) > 1 else "frequency"
            axis.plot(np.arange(1, len(share) + 1), share, marker=".", markersize=3, label=label)
        if values is not None:
            axis.axhline(1 / values, linestyle="--", color=INK, linewidth=1, label=f"1 of {values}")
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="value, in descending order of its frequency",
            ylabel="share of the indices",
        )
        axis.legend()
    return figure
