"""Mosaics of images, and maps of labelled codes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from aejax.plots import COLOURS


def mosaic(axis: Axes, images: ArrayLike, *, columns: int, colours: Any = "gray") -> None:
    """Draw square images in rows, each on its own scale, symmetric about zero.

    Args:
        axis: axis to draw on, without ticks and spines.
        images: [count, pixels] or [count, side, side]; an incomplete last row is omitted.
        columns: number of images per row.
        colours: matplotlib colour map.
    """
    images = np.asarray(images)
    images = images[: len(images) // columns * columns]
    side = round(np.sqrt(images[0].size))
    images = images.reshape(-1, side, side)
    largest = np.abs(images).max(axis=(1, 2), keepdims=True)
    framed = np.pad(images / np.where(largest, largest, 1), ((0, 0), (0, 1), (0, 1)),
                    constant_values=np.nan)  # fmt: skip
    rows = framed.reshape(-1, columns, side + 1, side + 1).swapaxes(1, 2)
    axis.imshow(rows.reshape(-1, columns * (side + 1)), colours, vmin=-1, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


CLASS_COLOURS = (*COLOURS, "#882255", "#999933", "#332288")
"""Colours of up to ten classes: the shared palette and three of Paul Tol's muted one."""


def draw_labels(axis: Axes, code: np.ndarray, labels: np.ndarray) -> None:
    """Draw the class of each example at its code."""
    for label in np.unique(labels):
        points = code[labels == label].T
        axis.scatter(*points, marker=f"${label}$", s=10, linewidths=0.2,
                     color=CLASS_COLOURS[label % len(CLASS_COLOURS)], rasterized=True)  # fmt: skip
    (left, bottom), (right, top) = np.quantile(code, (0.005, 0.995), axis=0)
    axis.set(xticks=[], yticks=[], xlim=(left, right), ylim=(bottom, top))
