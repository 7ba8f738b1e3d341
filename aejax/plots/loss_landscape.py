"""The landscape of the linear autoencoder: its critical points, and the way out of a saddle."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import COLOURS, INK, Array, finite, look


def critical_points(
    loss: Float[Array, " points"],
    counted: Int[Array, " points"],
    predicted: Int[Array, " points"],
) -> Figure:
    """Critical points by their loss and the number of directions in which it falls.

    Args:
        loss: at each.
        counted: negative eigenvalues of the Hessian there.
        predicted: what the formula says of them.

    Returns:
        A figure of one panel. Points within circles are as predicted; the one at the lower left
        alone is a minimum.

    Raises:
        ValueError: for losses that are not finite.
    """
    loss = finite("the losses", loss)
    with look():
        figure = Figure(figsize=(6.4, 3.4))
        axis = figure.subplots()
        ring = {"markersize": 9, "markerfacecolor": "none", "color": COLOURS[1]}
        axis.plot(loss, predicted, "o", label="predicted", **ring)
        axis.plot(loss, counted, "o", markersize=4, color=COLOURS[0], label="counted")
        axis.set(xlabel="loss, for λ_1 = 1", ylabel="falling directions")
        axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def search_ends(ends: Float[Array, " ends"], levels: Float[Array, " levels"]) -> Figure:
    """The losses at which searches ended, in order, over those that critical points may have.

    Args:
        ends: loss of the map where each search ended.
        levels: losses of all critical points.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: for losses that are not finite.
    """
    ends, levels = np.sort(finite("the ends", ends)), finite("the levels", levels)
    with look():
        figure = Figure(figsize=(6.4, 3.4))
        axis = figure.subplots()
        axis.hlines(levels, 0, len(ends) + 1, color=COLOURS[1], linewidth=0.8, alpha=0.6)
        axis.plot([], [], color=COLOURS[1], label="losses of critical points, by the formula")
        axis.plot(np.arange(1, len(ends) + 1), ends, "o", markersize=4, label="where it ended")
        axis.set(xlabel="search, in the order of its end", ylabel="loss, for λ_1 = 1")
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def saddle_escape(
    offsets: Float[Array, " points"],
    slice_losses: Float[Array, " points"],
    curvature: float,
    path_losses: Float[Array, " steps"],
    levels: tuple[float, float],
) -> Figure:
    """The loss along the direction in which a saddle falls most, and a descent that leaves it.

    Args:
        offsets: distances from the saddle along that direction.
        slice_losses: the loss there.
        curvature: the least eigenvalue of the Hessian.
        path_losses: of gradient descent from just beside the saddle.
        levels: the loss of the saddle and the least, by the formula.

    Returns:
        A figure of two panels.

    Raises:
        ValueError: for losses that are not finite.
    """
    offsets, along = finite("the offsets", offsets), finite("the slice", slice_losses)
    path, (saddle, least) = finite("the path", path_losses), levels
    with look():
        figure = Figure(figsize=(6.8, 3.1))
        slope, descent = figure.subplots(1, 2, sharey=True)
        slope.plot(offsets, along, color=COLOURS[0], label="loss")
        parabola = saddle + curvature * np.square(offsets) / 2
        inside = parabola >= min(along.min(), least)
        slope.plot(offsets[inside], parabola[inside], "--", color=COLOURS[1], label="its curvature")
        slope.set(xlabel="distance from the saddle", ylabel="loss, for λ_1 = 1")
        descent.plot(path, color=COLOURS[0])
        descent.set(xlabel="step of gradient descent")
        for level, name in zip(levels, ("saddle", "minimum"), strict=True):
            descent.axhline(level, color=INK, linewidth=0.8, linestyle=":")
            descent.text(len(path), level, name, ha="right", va="bottom", size="small")
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure
