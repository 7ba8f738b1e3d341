"""Which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Real
from matplotlib.figure import Figure

from aejax.plots.style import Array, finite, look


def confusion(
    counts: Real[Array, "classes classes"],
    names: Sequence[str] | None = None,
    *,
    axes: tuple[str, str] = ("class", "taken for"),
) -> Figure:
    """Counts n_ij as shares of their row, n_ij / Σ_j n_ij, in shades and in numbers.

    Of hashing: queries of class i, and the classes j of what lies in their Hamming balls. Of
    segmentation: pixels of class i that are taken for j.

    Args:
        counts: how often i was met with j; a row without counts stays empty.
        names: of the classes; their numbers unless given.
        axes: what rows and columns are.

    Returns:
        A figure of one panel. Shares below half a hundredth have no number.

    Raises:
        ValueError: for counts that are negative or not finite, or names that are not one a class.
    """
    shown = finite("the counts", counts)
    if shown.min(initial=0) < 0:
        raise ValueError(f"counts must not be negative, got {shown.min():g}")
    names = [str(i) for i in range(len(shown))] if names is None else list(names)
    if len(names) != len(shown):
        raise ValueError(f"give one name for each of {len(shown)} classes, got {len(names)}")
    totals = shown.sum(axis=1, keepdims=True)
    shares = np.divide(shown, totals, out=np.full_like(shown, np.nan), where=totals > 0)
    with look():
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
        figure.colorbar(image, label="share of the row")
    return figure
