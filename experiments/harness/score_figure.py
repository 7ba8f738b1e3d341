"""Figure of a learned score beside the exact score of a Gaussian mixture in the plane."""

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from aejax.plots import COLOURS, INK
from aejax.theory.analysis import gaussian_mixtures as mixtures

MAX_LENGTH = 15.0
"""Length of a score above which its arrow is shortened."""


def draw_score(
    axis: Axes,
    density: mixtures.GaussianMixture,
    coordinates: np.ndarray,
    learned: np.ndarray,
) -> None:
    """Draw exact and learned scores as arrows over a density.

    Args:
        axis: axis to draw on.
        density: mixture whose score was estimated.
        coordinates: grid coordinates [points] of both axes.
        learned: estimated score [points, points, 2] on the grid.
    """
    grid = np.stack(np.meshgrid(coordinates, coordinates), axis=-1)
    x = jnp.asarray(grid.reshape(-1, 2))
    values = np.exp(mixtures.log_density(density, x)).reshape(learned.shape[:2])
    exact = np.asarray(mixtures.score(density, x)).reshape(learned.shape)
    axis.contourf(coordinates, coordinates, values, 8, cmap="Greys", alpha=0.6)
    some = np.s_[2::6, 2::6]
    for score, color, width, name in (
        (exact, INK, 0.012, "exact"),
        (learned, COLOURS[1], 0.006, "learned"),
    ):
        length = np.linalg.norm(score, axis=2, keepdims=True)
        arrows = (score * np.minimum(1, MAX_LENGTH / np.maximum(length, 1e-6)))[some]
        axis.quiver(
            *grid[some].T, *arrows.T, color=color, label=name, angles="xy", scale=150, width=width
        )
    axis.set(aspect="equal", xticks=[], yticks=[])
