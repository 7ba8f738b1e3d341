"""Figure of a learned score against the exact score of a Gaussian mixture in the plane."""

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from aejax.plots import COLOURS, INK
from aejax.theory.analysis import gaussian_mixtures as mixtures


def draw_score(
    field: Axes,
    error: Axes,
    density: mixtures.GaussianMixture,
    coordinates: np.ndarray,
    learned: np.ndarray,
) -> None:
    """Draw exact and learned scores over a density, and the length of their difference.

    Args:
        field: axis of the scores.
        error: axis of the difference.
        density: mixture whose score was estimated.
        coordinates: grid coordinates [points] of both axes.
        learned: estimated score [points, points, 2] on the grid.
    """
    grid = np.stack(np.meshgrid(coordinates, coordinates), axis=-1)
    x = jnp.asarray(grid.reshape(-1, 2))
    values = np.exp(mixtures.log_density(density, x)).reshape(learned.shape[:2])
    exact = mixtures.score(density, x).reshape(learned.shape)
    field.contourf(coordinates, coordinates, values, 8, cmap="Greys", alpha=0.6)
    arrows = {"angles": "xy", "scale": 150, "width": 0.006}
    some = np.s_[2::6, 2::6]
    for arrow, color, name in ((exact, INK, "exact"), (learned, COLOURS[1], "learned")):
        field.quiver(*grid[some].T, *arrow[some].T, color=color, label=name, **arrows)
    field.set(title="∇ log p_σ over p_σ", aspect="equal")
    field.legend(loc="lower left", fontsize="small")
    length = np.linalg.norm(learned - exact, axis=2)
    limit = np.quantile(length, 0.98)
    image = error.pcolormesh(coordinates, coordinates, length, cmap="viridis", vmax=limit)
    error.contour(coordinates, coordinates, values, 5, colors="white", linewidths=0.7)
    error.set(title="‖learned − exact‖, contours of p_σ", aspect="equal")
    error.figure.colorbar(image, ax=error)
