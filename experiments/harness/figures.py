"""Filters as one picture."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike


def mosaic(axis: Axes, images: ArrayLike, *, columns: int, colours: Any = "gray") -> None:
    """Draw square images in rows, each on a scale of its own that is even about zero.

    Args:
        axis: where; its ticks and spines go.
        images: [count, pixels] or [count, side, side]; those that do not fill a row are left out.
        columns: images a row.
        colours: matplotlib's colour map.
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
