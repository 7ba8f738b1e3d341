"""Measured values compared with formulas."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, Array, figure_style, finite

Curves = Mapping[str, tuple[Num[Array, "_"], Num[Array, "_"]]]
"""Name -> (x, y), two arrays of equal length."""

_MARKERS = "os^DvP*"


def against_formula(
    measured: Curves,
    formula: Curves,
    *,
    xlabel: str,
    ylabel: str,
    xscale: str = "linear",
    yscale: str = "linear",
) -> Figure:
    """Draw measured curves as points and formulas as wide lines, on one pair of axes.

    Args:
        measured: one to seven measured curves.
        formula: curves predicted for the first measured ones, in order, then curves for
            comparison; may be empty.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        xscale: "linear" or "log"; a logarithmic axis omits values that are not positive.
        yscale: "linear" or "log".

    Returns:
        A figure with one panel and a legend below it.

    Raises:
        ValueError: if there is no measured curve, there are more than seven, or values are not
            finite.
    """
    if not 1 <= len(measured) <= len(_MARKERS):
        raise ValueError(f"expected 1 to {len(_MARKERS)} measured curves, got {len(measured)}")
    with figure_style():
        figure = Figure(figsize=(6.4, 3.9))
        axis = figure.subplots()
        axis.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
        for (name, curve), colour in zip(formula.items(), COLOURS, strict=False):
            axis.plot(*_shown(name, curve, axis), color=colour, linewidth=3, alpha=0.4, label=name)
        marks = zip(measured.items(), COLOURS, _MARKERS, strict=False)
        for i, ((name, curve), colour, marker) in enumerate(marks):
            width = 0 if i < len(formula) else 0.6  # a formula already connects the points
            style = {"marker": marker, "markersize": 4, "linewidth": width, "color": colour}
            axis.plot(*_shown(name, curve, axis), label=name, **style)
        if xscale == "linear":
            axis.locator_params("x", steps=[1, 2, 5, 10])
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def _shown(name: str, curve: tuple[Array, Array], axis: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Points that the axes can show: only positive values on logarithmic axes."""
    x, y = (finite(name, values) for values in curve)
    kept = np.ones(len(x), bool)
    for values, scale in ((x, axis.get_xscale()), (y, axis.get_yscale())):
        kept &= (values > 0) | (scale != "log")
    return x[kept], y[kept]
