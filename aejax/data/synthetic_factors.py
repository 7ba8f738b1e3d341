"""Images of one shape whose factors of variation are known: shape, scale, angle, position x and y.

Unlike those of dSprites, no shape has a rotational symmetry, so that each image has one angle.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from aejax.types import Array, Key

FACTORS = ("shape", "scale", "angle", "x", "y")
"""Names of the factors, by column."""

FACTOR_SHAPES = ("triangle", "half disc", "letter L")
"""Values of the factor "shape", by index."""

FACTOR_LEVELS = (3, 6, 24, 16, 16)
"""Default number of values of each factor."""

TRIANGLE = np.array([[-0.6, -0.5], [0.6, -0.5], [0.0, 0.75]])
"""Corners (x, y) of the isosceles triangle, counterclockwise."""

DISC_RADIUS = 0.8
"""Radius of the half disc, whose straight side is below its centre."""

BARS = np.array([[-0.45, -0.65, -0.1, 0.65], [-0.45, -0.65, 0.5, -0.25]])
"""The two bars of the letter L, each as (left, bottom, right, top)."""


def sample_factors(
    key: Key, *, examples: int, levels: Sequence[int] = FACTOR_LEVELS
) -> Int[Array, "examples factors"]:
    """Independent, uniformly distributed levels of the factors.

    Args:
        key: key of the draw.
        examples: number of examples.
        levels: number of values of each factor, in the order of `FACTORS`.

    Returns:
        The level of each factor, from 0 on.

    Raises:
        ValueError: if there are not five numbers of levels, one is below 1, or that of shapes is
            above 3.

    Source: Matthey et al. 2017 (dSprites).
    """
    _check_levels(levels)
    return jax.random.randint(key, (examples, len(FACTORS)), 0, jnp.asarray(levels))


def factor_values(
    factors: Int[Array, "examples factors"], *, levels: Sequence[int] = FACTOR_LEVELS
) -> Float[Array, "examples factors"]:
    """Values of the levels of the factors, as `factor_images` takes them.

    Scales are at equal steps from 0.5 to 1, angles from 0 to 2π without 2π, and positions from
    −1 to 1. A factor with one level has the first of its values.

    Args:
        factors: level of each factor, from 0 on.
        levels: number of values of each factor, in the order of `FACTORS`.

    Returns:
        The values of shape, scale, angle, x and y.

    Raises:
        ValueError: as `sample_factors`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import data
        >>> values = data.factor_values(jnp.array([[2, 5, 12, 0, 15]]))
        >>> [round(float(value), 2) for value in values[0]]
        [2.0, 1.0, 3.14, -1.0, 1.0]

    Source: Matthey et al. 2017 (dSprites).
    """
    _check_levels(levels)
    low = np.array([0.0, 0.5, 0.0, -1.0, -1.0])
    step = np.array([1.0, 0.5, 2 * np.pi, 2.0, 2.0])
    _, scales, angles, xs, ys = levels
    step[1:] /= [max(scales - 1, 1), angles, max(xs - 1, 1), max(ys - 1, 1)]
    values = factors.astype(float)
    return jnp.asarray(low, values.dtype) + values * jnp.asarray(step, values.dtype)


def factor_images(
    values: Float[Array, "examples factors"], *, side: int = 32
) -> Float[Array, "examples side side 1"]:
    """Images of one shape each: 1 inside, 0 outside, antialiased. A pure function of the factors.

    In coordinates from −1 to 1 across the image, with y upwards, a shape of scale 1 fits into a
    disc of radius 0.5, and x = ±1 or y = ±1 places its centre 0.5 from that of the image, so that
    every shape is inside the image.

    Args:
        values: shape (index by `FACTOR_SHAPES`), scale in (0, 1], angle in radians,
            counterclockwise, and position x and y in [−1, 1].
        side: height and width in pixels, at least 8.

    Returns:
        The images; a pixel on an edge has about the share of its area that is inside.

    Raises:
        ValueError: for a side below 8, or other than five factors.

    Example:
        >>> import jax
        >>> from aejax import data
        >>> factors = data.sample_factors(jax.random.key(0), examples=4)
        >>> data.factor_images(data.factor_values(factors)).shape
        (4, 32, 32, 1)

    Source: Matthey et al. 2017 (dSprites).
    """
    if side < 8 or values.shape[1] != len(FACTORS):
        raise ValueError(
            f"expected a side of at least 8 and values [examples, {len(FACTORS)}], got side {side} "
            f"and shape {list(values.shape)}"
        )
    shape, scale, angle, x, y = (column[:, None, None] for column in values.T)
    centres = (2 * jnp.arange(side, dtype=values.dtype) + 1) / side - 1
    across, up = centres - x / 2, -centres[:, None] - y / 2
    size = scale / 2
    u = (jnp.cos(angle) * across + jnp.sin(angle) * up) / size
    v = (jnp.cos(angle) * up - jnp.sin(angle) * across) / size
    distances = (_triangle(u, v), _half_disc(u, v), _letter(u, v))
    distance = jnp.select([shape == index for index in range(len(distances))], distances)
    pixels = distance * size * side / 2
    return jnp.clip(0.5 - pixels, 0, 1)[..., None]


def _triangle(u: Array, v: Array) -> Array:
    """Largest signed distance from the lines through the sides; negative inside."""
    sides = np.roll(TRIANGLE, -1, axis=0) - TRIANGLE
    normals = np.stack([sides[:, 1], -sides[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lines = [
        float(a) * (u - float(p)) + float(b) * (v - float(q))
        for (a, b), (p, q) in zip(normals, TRIANGLE, strict=True)
    ]
    return jnp.maximum(jnp.maximum(lines[0], lines[1]), lines[2])


def _half_disc(u: Array, v: Array) -> Array:
    radius = jnp.sqrt(jnp.maximum(jnp.square(u) + jnp.square(v), 1e-12))
    return jnp.maximum(radius - DISC_RADIUS, -v)


def _letter(u: Array, v: Array) -> Array:
    def bar(left: float, bottom: float, right: float, top: float) -> Array:
        return jnp.maximum(jnp.maximum(left - u, u - right), jnp.maximum(bottom - v, v - top))

    first, second = (bar(*map(float, edges)) for edges in BARS)
    return jnp.minimum(first, second)


def _check_levels(levels: Sequence[int]) -> None:
    if len(levels) != len(FACTORS) or min(levels) < 1 or levels[0] > len(FACTOR_SHAPES):
        raise ValueError(
            f"expected {len(FACTORS)} numbers of levels, of {', '.join(FACTORS)}, each at least 1, "
            f"and at most {len(FACTOR_SHAPES)} shapes, got {tuple(levels)}"
        )
