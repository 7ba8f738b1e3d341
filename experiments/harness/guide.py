"""Figures 2.1 and 4.5 of Dumoulin & Visin's guide, from arrays that are computed."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import SubFigure

from aejax.layers.convolution import convolution, flipped, zero_inserted
from aejax.layers.convolution_arithmetic import Geometry, resolve_axes
from aejax.plots import INK

KERNEL = jnp.array([[1.0, 0, 2], [0, 1, 0], [2, 0, 1]])[..., None, None]
"""From one channel to one; not symmetric, so that its turning would be seen."""


class Sliding(NamedTuple):
    """A kernel of three, sliding with unit strides: what it slides over, and what it makes of it.

    x:     [height, width].
    given: likewise, whether each position is an input; the others are inserted zeros.
    y:     [height − 2, width − 2].
    """

    x: np.ndarray
    given: np.ndarray
    y: np.ndarray

    def under(self, row: int, column: int) -> np.ndarray:
        """Which positions of x one of y is the sum of, as a mask."""
        places = [
            axis.input_positions(size)[place]
            for axis, size, place in zip(
                resolve_axes(self.x.shape, Geometry((3, 3))),
                self.y.shape,
                (row, column),
                strict=True,
            )
        ]
        mask = np.zeros(self.x.shape, bool)
        mask[np.ix_(*places)] = True
        return mask


def convolved() -> Sliding:
    """Figure 2.1: a kernel of 3 × 3 over an input of 4 × 4, without padding, with unit strides."""
    x = _counted(4)
    return _sliding(x, jnp.ones_like(x), convolution(x, KERNEL))


def transpose() -> Sliding:
    """Figure 4.5: the transpose of a kernel of 3 × 3 over 5 × 5 with strides of two.

    Its input of 2 × 2 is stretched by a zero between its positions, and padded by two; over that
    the turned kernel slides with unit strides. The result is `transposed_convolution`'s.
    """
    y, geometry = _counted(2), Geometry((3, 3), (2, 2))
    given = zero_inserted(jnp.ones_like(y), geometry)
    stretched, turned = zero_inserted(y, geometry), flipped(KERNEL)
    return _sliding(stretched, given, convolution(stretched, turned))


def draw(figure: SubFigure, sliding: Sliding, title: str, steps: int = 4) -> None:
    """Draw the first steps: below x with what lies under the kernel, above it y so far.

    Args:
        figure: where.
        sliding: what.
        title: of it all.
        steps: how many of y's positions, row by row.
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


def _counted(side: int) -> jnp.ndarray:
    return jnp.arange(1.0, 1 + side**2).reshape(1, side, side, 1)


def _sliding(x: jnp.ndarray, given: jnp.ndarray, y: jnp.ndarray) -> Sliding:
    x, given, y = (np.asarray(each)[0, ..., 0] for each in (x, given, y))
    return Sliding(x, given > 0, y)
