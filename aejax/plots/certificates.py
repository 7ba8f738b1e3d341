"""Residual, tolerance and control (residual of a false statement) of certificates on one axis."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from aejax.plots.style import COLOURS, INK, figure_style

FLOOR = 1e-18
"""Smallest value on the axis, at which smaller ones are drawn."""

Numbers = tuple[float | None, float | None, float | None]
"""Residual, tolerance and control of a certificate; None if it was not computed."""


def certificates(numbers: Mapping[str, Numbers]) -> Figure:
    """Draw the residual, tolerance and control of each certificate.

    Args:
        numbers: name -> residual, tolerance and control. Values below 10⁻¹⁸ are drawn at 10⁻¹⁸.

    Returns:
        A figure with one row per name, on a logarithmic axis. A row without residual is marked
        "not measured".

    Raises:
        ValueError: if there are no rows.
    """
    if not numbers:
        raise ValueError("there is no certificate to draw")
    largest = max((x for row in numbers.values() for x in row if x is not None), default=1.0)
    low, high = FLOOR / 3, 3 * max(largest, 10.0)
    with figure_style():
        figure = Figure(figsize=(6.4, 0.19 * len(numbers) + 1.1))
        axis = figure.subplots()
        axis.set(xscale="log", ylim=(len(numbers) - 0.4, -0.6), xlim=(low, high))
        axis.set_yticks(range(len(numbers)), list(numbers))
        axis.tick_params("y", labelsize="small", length=0)
        axis.hlines(range(len(numbers)), low, high, color=INK, linewidth=0.3, alpha=0.3)
        marks = zip(*numbers.values(), strict=True)
        kinds = (("residual", "o", 0), ("tolerance", "|", 6), ("control", "x", 1))
        for (name, marker, colour), values in zip(kinds, marks, strict=True):
            given = [(max(x, FLOOR), row) for row, x in enumerate(values) if x is not None]
            size = 8 if marker == "|" else 4
            points = np.array(given).reshape(-1, 2).T
            style = {"markersize": size, "markeredgewidth": 1.4, "color": COLOURS[colour]}
            axis.plot(*points, marker, label=name, clip_on=False, **style)
        for row, (residual, *_) in enumerate(numbers.values()):
            if residual is None:
                axis.text(FLOOR, row, "not measured", size="x-small", va="center", alpha=0.7)
        figure.legend(loc="outside upper right", ncols=3, fontsize="small")
    return figure
