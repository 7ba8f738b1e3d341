"""Images of curves through three random points: data whose six numbers are known."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.types import Array, Key

SIDE = 28
MARGIN = 4.0
"""Pixels between the border and the points."""
WIDTH = 0.8
"""σ of the ink about the curve, in pixels."""
SAMPLES = 96
"""Places along a curve whose ink is added."""


def curves(key: Key, count: int) -> Float[Array, "count pixels"]:
    """Draw curves: the parabola in time through three points, drawn in ink that saturates.

    Intensity is 1 − exp(−d) for d the ink at a pixel, ∫ exp(−|p − b(t)|²/2σ²) |b'(t)| dt / σ, with
    b(0), b(½), b(1) uniform in a square.

    Args:
        key: of the points.
        count: of images.

    Returns:
        Images of 28 × 28, flat, in [0, 1).

    Source: Hinton & Salakhutdinov 2006, who tell three points and six numbers; ink and width are
    ours.
    """
    points = jax.random.uniform(key, (count, 3, 2), minval=MARGIN, maxval=SIDE - 1 - MARGIN)
    return jax.lax.map(drawn, points, batch_size=256)


def drawn(points: Float[Array, "3 2"]) -> Float[Array, " pixels"]:
    """One curve, by its points (row, column) in pixels."""
    t = (jnp.arange(SAMPLES) + 0.5) / SAMPLES
    through = jnp.stack([(2 * t - 1) * (t - 1), 4 * t * (1 - t), t * (2 * t - 1)], axis=1)
    speeds = jnp.stack([4 * t - 3, 4 - 8 * t, 4 * t - 1], axis=1) @ points
    ink = jnp.linalg.norm(speeds, axis=1) / SAMPLES / WIDTH
    rows, columns = (
        jnp.exp(-jnp.square(place[:, None] - jnp.arange(SIDE)) / (2 * WIDTH**2))
        for place in (through @ points).T
    )
    return 1 - jnp.exp(-(rows * ink[:, None]).T @ columns).reshape(-1)
