"""Loss landscape of the linear autoencoder: critical points and the escape from a saddle."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aejax.plots.style import COLOURS, INK, Array, figure_style, finite


def critical_points(
    loss: Float[Array, " points"],
    counted: Int[Array, " points"],
    predicted: Int[Array, " points"],
) -> Figure:
    """Draw critical points by their loss and their index (number of negative Hessian eigenvalues).

    Args:
        loss: loss at each critical point.
        counted: number of negative eigenvalues of the Hessian, measured.
        predicted: the same number according to the formula.

    Returns:
        A figure with one panel. A point inside its circle agrees with the prediction; only the
        point at the lower left is a minimum.

    Raises:
        ValueError: if losses are not finite.
    """
    loss = finite("the losses", loss)
    with figure_style():
        figure = Figure(figsize=(6.4, 3.4))
        axis = figure.subplots()
        ring = {"markersize": 9, "markerfacecolor": "none", "color": COLOURS[1]}
        axis.plot(loss, predicted, "o", label="predicted", **ring)
        axis.plot(loss, counted, "o", markersize=4, color=COLOURS[0], label="counted")
        axis.set(xlabel="loss, for λ_1 = 1", ylabel="negative Hessian eigenvalues")
        axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def search_ends(ends: Float[Array, " ends"], levels: Float[Array, " levels"]) -> Figure:
    """Draw the sorted final losses of searches for critical points, and the losses of all of them.

    Args:
        ends: final loss of each search.
        levels: losses of all critical points.

    Returns:
        A figure with one panel.

    Raises:
        ValueError: if losses are not finite.
    """
    ends, levels = np.sort(finite("the ends", ends)), finite("the levels", levels)
    with figure_style():
        figure = Figure(figsize=(6.4, 3.4))
        axis = figure.subplots()
        axis.hlines(levels, 0, len(ends) + 1, color=COLOURS[1], linewidth=0.8, alpha=0.6)
        axis.plot([], [], color=COLOURS[1], label="losses of critical points, by the formula")
        axis.plot(np.arange(1, len(ends) + 1), ends, "o", markersize=4, label="end of a search")
        axis.set(xlabel="search, sorted by final loss", ylabel="loss, for λ_1 = 1")
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure


def saddle_escape(
    offsets: Float[Array, " points"],
    slice_losses: Float[Array, " points"],
    curvature: float,
    path_losses: Float[Array, " steps"],
    levels: tuple[float, float],
) -> Figure:
    """Draw the loss along a saddle's direction of minimum curvature, and a path that escapes.

    Args:
        offsets: distances from the saddle along that direction.
        slice_losses: loss at each offset.
        curvature: minimum eigenvalue of the Hessian.
        path_losses: losses of gradient descent from a point close to the saddle.
        levels: losses of the saddle and of the minimum, according to the formula.

    Returns:
        A figure with two panels.

    Raises:
        ValueError: if losses are not finite.
    """
    offsets, along = finite("the offsets", offsets), finite("the slice", slice_losses)
    path, (saddle, least) = finite("the path", path_losses), levels
    with figure_style():
        figure = Figure(figsize=(6.8, 3.1))
        slope, descent = figure.subplots(1, 2, sharey=True)
        slope.plot(offsets, along, color=COLOURS[0], label="loss")
        parabola = saddle + curvature * np.square(offsets) / 2
        inside = parabola >= min(along.min(), least)
        slope.plot(
            offsets[inside], parabola[inside], "--", color=COLOURS[1], label="quadratic model"
        )
        slope.set(xlabel="distance from the saddle", ylabel="loss, for λ_1 = 1")
        descent.plot(path, color=COLOURS[0])
        descent.set(xlabel="step of gradient descent")
        for level, name in zip(levels, ("saddle", "minimum"), strict=True):
            descent.axhline(level, color=INK, linewidth=0.8, linestyle=":")
            descent.text(len(path), level, name, ha="right", va="bottom", size="small")
        figure.legend(loc="outside lower left", ncols=2, fontsize="small")
    return figure
