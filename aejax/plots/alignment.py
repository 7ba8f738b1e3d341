"""Alignment: which principal component each code unit stands for."""

from collections.abc import Mapping
from math import ceil

from jaxtyping import Float
from matplotlib.figure import Figure

from aejax.plots.style import Array, finite, look


def alignment(cosines: Mapping[str, Float[Array, "units components"]]) -> Figure:
    """|cos| of the angle between each code unit's direction and each principal component.

    Args:
        cosines: name -> |cos|, one row a unit and one column a component, in [0, 1]. An ordered
            code is a diagonal of ones.

    Returns:
        A figure of one image a name, on one scale from 0 to 1.

    Raises:
        ValueError: for no matrix, or values that are not finite.
    """
    if not cosines:
        raise ValueError("there is no code to compare")
    columns = min(3, len(cosines))
    rows = ceil(len(cosines) / columns)
    with look():
        figure = Figure(figsize=(2.3 * columns + 0.6, 2.5 * rows), layout="compressed")
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for axis, (name, matrix) in zip(axes, cosines.items(), strict=False):
            units, components = finite(name, matrix).shape
            edges = (0.5, components + 0.5, units + 0.5, 0.5)
            axis.imshow(matrix, "viridis", vmin=0, vmax=1, interpolation="none", extent=edges)
            axis.set_title(name, fontsize="medium")
            axis.locator_params(nbins=4, integer=True)
        for axis in axes[len(cosines) :]:
            axis.remove()
        figure.supxlabel("principal component", size="medium")
        figure.supylabel("code unit", size="medium")
        bar = figure.colorbar(axes[0].images[0], ax=figure.axes, aspect=30, pad=0.02)
        bar.set_label("|cos|")
    return figure
