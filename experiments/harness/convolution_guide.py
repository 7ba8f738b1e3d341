"""Figures 2.1 and 4.5 of Dumoulin & Visin's guide, drawn from computed arrays."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import SubFigure

from aejax.layers.convolution import convolution, flipped, zero_inserted
from aejax.layers.convolution_arithmetic import Geometry, resolve_axes
from aejax.plots import INK

KERNEL = jnp.array([[1.0, 0, 2], [0, 1, 0], [2, 0, 1]])[..., None, None]
"""Kernel [3, 3, 1, 1]; it equals its flip along both axes."""


class Sliding(NamedTuple):
    """A 3 × 3 kernel with unit strides: its input and output.

    x:     input [height, width].
    given: [height, width], whether each position is an input, not an inserted zero.
    y:     output [height − 2, width − 2].
    """

    x: np.ndarray
    given: np.ndarray
    y: np.ndarray

    def under(self, row: int, column: int) -> np.ndarray:
        """Mask of the positions of x that contribute to one position of y."""
        positions = [
            axis.input_positions(size)[index]
            for axis, size, index in zip(
                resolve_axes(self.x.shape, Geometry((3, 3))),
                self.y.shape,
                (row, column),
                strict=True,
            )
        ]
        mask = np.zeros(self.x.shape, bool)
        mask[np.ix_(*positions)] = True
        return mask


def convolution_example() -> Sliding:
    """Figure 2.1: a 3 × 3 kernel over a 4 × 4 input without padding, with unit strides."""
    x = _arange_image(4)
    return _sliding(x, jnp.ones_like(x), convolution(x, KERNEL))


def transposed_example() -> Sliding:
    """Figure 4.5: the transpose of a convolution, with a 3 × 3 kernel and stride two over 5 × 5.

    Zeros are inserted between the positions of the 2 × 2 input, which is padded by two; the flipped
    kernel slides over it with unit strides. The result equals `transposed_convolution`.
    """
    y, geometry = _arange_image(2), Geometry((3, 3), (2, 2))
    given = zero_inserted(jnp.ones_like(y), geometry)
    stretched = zero_inserted(y, geometry)
    return _sliding(stretched, given, convolution(stretched, flipped(KERNEL)))


def draw_sliding(figure: SubFigure, sliding: Sliding, title: str, steps: int = 4) -> None:
    """Draw the first steps: below, x with the kernel's position; above, y as computed so far.

    Args:
        figure: figure to draw on.
        sliding: input and output of the convolution.
        title: title of the figure.
        steps: number of drawn positions of y, row by row.
    """
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize="medium")
    colours = ListedColormap(["#f3f5f7", "#9ec9e8", "#c9ced4", "#4a98cf", "#ffffff", "#6fbf9f"])
    height, width = sliding.x.shape
    for step, axis in enumerate(figure.subplots(1, steps)):
        row, column = divmod(step, sliding.y.shape[1])
        done = np.arange(sliding.y.size).reshape(sliding.y.shape) <= step
        grids = (
            (sliding.y, 4 + done, done, (width - sliding.y.shape[1]) / 2, 0),
            (sliding.x, sliding.given + 2 * sliding.under(row, column), sliding.given, 0,
             len(sliding.y) + 1),
        )  # fmt: skip
        for values, kinds, shown, left, top in grids:
            rows, columns = values.shape
            edges = left + np.arange(columns + 1), top + np.arange(rows + 1)
            axis.pcolormesh(*edges, kinds, cmap=colours, vmin=0, vmax=5, edgecolors=INK, lw=0.4)
            for i, j in zip(*np.nonzero(shown), strict=True):
                axis.text(left + j + 0.5, top + i + 0.5, f"{values[i, j]:g}", size=6,
                          horizontalalignment="center", verticalalignment="center")  # fmt: skip
        axis.set(
            aspect="equal", xlim=(-0.1, width + 0.1), ylim=(height + len(sliding.y) + 1.1, -0.1)
        )
        axis.set_axis_off()


def _arange_image(side: int) -> jnp.ndarray:
    return jnp.arange(1.0, 1 + side**2).reshape(1, side, side, 1)


def _sliding(x: jnp.ndarray, given: jnp.ndarray, y: jnp.ndarray) -> Sliding:
    x, given, y = (np.asarray(each)[0, ..., 0] for each in (x, given, y))
    return Sliding(x, given > 0, y)
