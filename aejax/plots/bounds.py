"""Losses above a bound."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, INK, finite, look


def losses_above(losses: Mapping[str, float], bound: float, *, name: str) -> Figure:
    """Losses, one row each, and the line that none of them may cross.

    Args:
        losses: name -> loss.
        bound: the least that is possible.
        name: of the bound.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: for losses that are not finite.
    """
    values = finite("the losses", np.array(list(losses.values())))
    with look():
        figure = Figure(figsize=(6.4, 0.3 * len(losses) + 1.2))
        axis = figure.subplots()
        axis.hlines(range(len(values)), bound, values, color=INK, linewidth=0.6)
        axis.plot(values, range(len(values)), "o", color=COLOURS[0])
        axis.axvline(bound, color=COLOURS[1], linestyle="--", label=name)
        axis.set_yticks(range(len(values)), list(losses))
        axis.set(ylim=(len(values) - 0.5, -0.5), xlabel="mean squared error")
        figure.legend(loc="outside lower left", fontsize="small")
    return figure
