"""What was measured beside what a formula says."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, Array, finite, look

Curves = Mapping[str, tuple[Num[Array, "_"], Num[Array, "_"]]]
"""Name -> (x, y), of one length."""

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
    """Measured curves as points, formulas as wide lines, on one pair of axes.

    Args:
        measured: at most seven.
        formula: what the first so many of them should be, and others to compare with; empty where
            nothing is foretold.
        xlabel: of the shared axis.
        ylabel: of the shared axis.
        xscale: "linear" or "log"; a logarithmic axis leaves out what is not positive.
        yscale: likewise.

    Returns:
        A figure of one panel; its legend stands below.

    Raises:
        ValueError: for no curve, more than seven, or values that are not finite.
    """
    if not 1 <= len(measured) <= len(_MARKERS):
        raise ValueError(f"from one to {len(_MARKERS)} measured curves, got {len(measured)}")
    with look():
        figure = Figure(figsize=(6.4, 3.9))
        axis = figure.subplots()
        axis.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale, yscale=yscale)
        for (name, curve), colour in zip(formula.items(), COLOURS, strict=False):
            axis.plot(*_shown(name, curve, axis), color=colour, linewidth=3, alpha=0.4, label=name)
        marks = zip(measured.items(), COLOURS, _MARKERS, strict=False)
        for place, ((name, curve), colour, marker) in enumerate(marks):
            joined = 0 if place < len(formula) else 0.6  # the formula joins the points already
            style = {"marker": marker, "markersize": 4, "linewidth": joined, "color": colour}
            axis.plot(*_shown(name, curve, axis), label=name, **style)
        if xscale == "linear":
            axis.locator_params("x", steps=[1, 2, 5, 10])
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def _shown(name: str, curve: tuple[Array, Array], axis: Axes) -> tuple[np.ndarray, np.ndarray]:
    """The points that the axes have room for."""
    x, y = (finite(name, values) for values in curve)
    kept = np.ones(len(x), bool)
    for values, scale in ((x, axis.get_xscale()), (y, axis.get_yscale())):
        kept &= (values > 0) | (scale != "log")
    return x[kept], y[kept]
