"""One look for every picture.

Colours are safe for the colour-blind and lines differ in style too; backgrounds are transparent and
everything that is not data is drawn in `INK`, so that a page may exchange the one for a lighter one
in the dark.
"""

from contextlib import AbstractContextManager
from typing import Any

import jax
import matplotlib
import numpy as np
from cycler import cycler

Array = np.ndarray | jax.Array

INK = "#24292f"
"""The colour of text, axes and ticks."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#808080")
"""Okabe and Ito's palette, without yellow (faint on white) and with grey for black (near INK)."""


def look() -> AbstractContextManager[None]:
    """The house's look, which ends with the context.

    Returns:
        A context in which to draw figures, after which matplotlib is as before.
    """
    inked = ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "text.color")
    inked += ("xtick.color", "ytick.color")
    parameters: dict[Any, Any] = dict.fromkeys(inked, INK) | {
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
    """The array as float64; ValueError, by this name, where it holds NaN or infinity."""
    array = np.asarray(array, float)
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
    return array
