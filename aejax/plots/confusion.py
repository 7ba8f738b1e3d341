"""Confusion matrices."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Real
from matplotlib.figure import Figure

from aejax.plots.style import Array, figure_style, finite


def confusion(
    counts: Real[Array, "classes classes"],
    names: Sequence[str] | None = None,
    *,
    axes: tuple[str, str] = ("class", "predicted as"),
) -> Figure:
    """Draw counts n_ij as fractions of their row, n_ij / Σ_j n_ij, in colours and numbers.

    For hashing: queries of class i and retrieved examples of class j. For segmentation: pixels of
    class i that are predicted as class j.

    Args:
        counts: counts of pairs (i, j); a row without counts is empty.
        names: names of the classes (default: their indices).
        axes: labels of rows and columns.

    Returns:
        A figure with one panel. Fractions below 0.005 have no number.

    Raises:
        ValueError: if counts are negative or not finite, or the number of names is not that of
            the classes.
    """
    shown = finite("the counts", counts)
    if shown.min(initial=0) < 0:
        raise ValueError(f"counts must not be negative, got {shown.min():g}")
    names = [str(i) for i in range(len(shown))] if names is None else list(names)
    if len(names) != len(shown):
        raise ValueError(f"expected one name for each of {len(shown)} classes, got {len(names)}")
    totals = shown.sum(axis=1, keepdims=True)
    shares = np.divide(shown, totals, out=np.full_like(shown, np.nan), where=totals > 0)
    with figure_style():
        figure = Figure(figsize=(5.4, 4.6))
        axis = figure.subplots()
        image = axis.imshow(shares, "Blues", vmin=0, vmax=1)
        ticks = range(len(names))
        axis.set(ylabel=axes[0], xlabel=axes[1])
        axis.set_xticks(ticks, names, rotation=0 if max(map(len, names)) < 4 else 90)
        axis.set_yticks(ticks, names)
        for (i, j), share in np.ndenumerate(shares):
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                axis.text(j, i, f"{share:.2f}", ha="center", va="center", color=colour, size=6)
        figure.colorbar(image, label="fraction of the row")
    return figure
