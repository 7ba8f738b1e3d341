"""Losses relative to their lower bound."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, INK, figure_style, finite


def losses_above(losses: Mapping[str, float], bound: float, *, name: str) -> Figure:
    """Draw losses, one row each, and the lower bound as a line.

    Args:
        losses: name -> loss.
        bound: lower bound of the losses.
        name: label of the bound.

    Returns:
        A figure with one panel.

    Raises:
        ValueError: if losses are not finite.
    """
    values = finite("the losses", np.array(list(losses.values())))
    with figure_style():
        figure = Figure(figsize=(6.4, 0.3 * len(losses) + 1.2))
        axis = figure.subplots()
        axis.hlines(range(len(values)), bound, values, color=INK, linewidth=0.6)
        axis.plot(values, range(len(values)), "o", color=COLOURS[0])
        axis.axvline(bound, color=COLOURS[1], linestyle="--", label=name)
        axis.set_yticks(range(len(values)), list(losses))
        axis.set(ylim=(len(values) - 0.5, -0.5), xlabel="mean squared error")
        figure.legend(loc="outside lower left", fontsize="small")
    return figure
