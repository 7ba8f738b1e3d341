"""Alignment of code units with principal components."""

from collections.abc import Mapping
from math import ceil

from jaxtyping import Float
from matplotlib.figure import Figure

from aejax.plots.style import Array, figure_style, finite


def alignment(cosines: Mapping[str, Float[Array, "units components"]]) -> Figure:
    """Draw |cos| of the angle between each code unit's direction and each principal component.

    Args:
        cosines: name -> |cos| in [0, 1], one row per unit and one column per component. If unit i
            is aligned with component i, the diagonal is one.

    Returns:
        A figure with one image per name, on a common scale from 0 to 1.

    Raises:
        ValueError: if there is no matrix, or values are not finite.
    """
    if not cosines:
        raise ValueError("there is no code to compare")
    columns = min(3, len(cosines))
    rows = ceil(len(cosines) / columns)
    with figure_style():
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
