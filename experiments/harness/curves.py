"""Images of curves through three random points: data with six known degrees of freedom."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.types import Array, Key

SIDE = 28
MARGIN = 4.0
"""Minimum distance of the points from the border, in pixels."""
WIDTH = 1.125
"""Standard deviation σ of the line profile, in pixels; with it, the error of PCA with 18 components
is that of Hinton & Salakhutdinov 2006, 5.90."""
SAMPLES = 96
"""Number of sample points along a curve."""


def sample_curves(key: Key, count: int) -> Float[Array, "count pixels"]:
    """Sample images of curves: quadratic curves b(t) through three random points.

    The intensity is 1 − exp(−d) for the density d = ∫ exp(−|p − b(t)|²/2σ²) |b'(t)| dt / σ at a
    pixel p, with b(0), b(½), b(1) uniform in a square.

    Args:
        key: key of the points.
        count: number of images.

    Returns:
        Flattened images of 28 × 28 in [0, 1).

    Source: Hinton & Salakhutdinov 2006 (three random points; the intensity is ours).
    """
    return jax.lax.map(render_curve, _sample_points(key, count), batch_size=256)


def fresh_curves(key: Key, x: Float[Array, "batch pixels"]) -> Float[Array, "batch pixels"]:
    """Sample new curves in place of a batch, so that no training example is seen twice."""
    return jax.vmap(render_curve)(_sample_points(key, len(x))).astype(x.dtype)


def render_curve(points: Float[Array, "3 2"]) -> Float[Array, " pixels"]:
    """Render the curve through three points (row, column) in pixels."""
    t = (jnp.arange(SAMPLES) + 0.5) / SAMPLES
    through = jnp.stack([(2 * t - 1) * (t - 1), 4 * t * (1 - t), t * (2 * t - 1)], axis=1)
    speeds = jnp.stack([4 * t - 3, 4 - 8 * t, 4 * t - 1], axis=1) @ points
    ink = jnp.linalg.norm(speeds, axis=1) / SAMPLES / WIDTH
    rows, columns = (
        jnp.exp(-jnp.square(position[:, None] - jnp.arange(SIDE)) / (2 * WIDTH**2))
        for position in (through @ points).T
    )
    return 1 - jnp.exp(-(rows * ink[:, None]).T @ columns).reshape(-1)


def _sample_points(key: Key, count: int) -> Float[Array, "count 3 2"]:
    return jax.random.uniform(key, (count, 3, 2), minval=MARGIN, maxval=SIDE - 1 - MARGIN)
