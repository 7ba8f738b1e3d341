"""Shared matplotlib style of all figures.

Colours are safe for colour-blind readers, and lines also differ in style. Backgrounds are
transparent, everything except data is drawn in `INK`, and boxes behind labels in `PAPER`; a page
replaces both in dark mode.
"""

from contextlib import AbstractContextManager
from typing import Any

import jax
import matplotlib
import numpy as np
from cycler import cycler

Array = np.ndarray | jax.Array

INK = "#24292f"
"""Colour of text, axes and ticks."""

PAPER = "#fefefe"
"""Colour of boxes behind labels that lines cross."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#808080")
"""Okabe and Ito's palette, without yellow (faint on white) and with grey for black (near INK)."""


def figure_style() -> AbstractContextManager[None]:
    """Apply the shared figure style within a context.

    Returns:
        A context manager that restores matplotlib's settings on exit.
    """
    ink_coloured = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "text.color")
    ink_coloured += ("xtick.color", "ytick.color")
    parameters: dict[Any, Any] = dict.fromkeys(ink_coloured, INK) | {
        "axes.facecolor": "none",
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "font.size": 9,
        "legend.frameon": False,
    }
    return matplotlib.rc_context(parameters)


def finite(name: str, array: Array) -> np.ndarray:
    """Convert to float64; raise a ValueError that quotes `name` if a value is NaN or infinite."""
    array = np.asarray(array, float)
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(f"{name} contains {bad} values that are NaN or infinite")
    return array
