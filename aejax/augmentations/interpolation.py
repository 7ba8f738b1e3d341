"""Linear and cubic-convolution interpolation of images: (image, points) -> values, zero outside.

Linear interpolation averages pixels, so a shift by half a pixel blurs. Cubic convolution has some
negative weights, which preserve edges. It is written here because
`jax.scipy.ndimage.map_coordinates` supports only orders 0 and 1.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float

from aejax.types import Array

Interpolation = Callable[
    [Float[Array, "height width"], Float[Array, "*points 2"]], Float[Array, "*points"]
]
"""Image [height, width], pixel coordinates (y, x) with integers at pixel centres -> values."""


def linear(
    image: Float[Array, "height width"], points: Float[Array, "*points 2"]
) -> Float[Array, "*points"]:
    """Bilinear interpolation between the four pixels around each point.

    Args:
        image: image [height, width].
        points: points [*points, 2], y and x.

    Returns:
        Values [*points], within the range of all pixels and zero.
    """
    return map_coordinates(image, [points[..., 0], points[..., 1]], order=1, cval=0.0)


def cubic(
    image: Float[Array, "height width"], points: Float[Array, "*points 2"]
) -> Float[Array, "*points"]:
    """Cubic convolution of the sixteen pixels around each point, clipped to the range of the image.

        u(s) = 3/2 |s|³ − 5/2 |s|² + 1 for |s| ≤ 1,
        u(s) = −1/2 |s|³ + 5/2 |s|² − 4 |s| + 2 for 1 < |s| < 2,   0 beyond,

    in each direction. It is exact for images that are quadratic in y and x. It overshoots at edges,
    so values are clipped to the range of all pixels, with zero for those outside.

    Args:
        image: image [height, width].
        points: points [*points, 2], y and x.

    Returns:
        Values [*points], within the range of all pixels and zero.

    Source: Keys 1981, Cubic convolution interpolation for digital image processing, eq. 15.
    """
    padded = jnp.pad(image, 2)
    near = jnp.floor(points)[..., None] + jnp.arange(-1, 3, dtype=points.dtype)  # [*points, 2, 4]
    weights = _weight(points[..., None] - near)
    last = jnp.array(padded.shape)[:, None] - 1
    rows, columns = jnp.moveaxis(jnp.clip(near.astype(int) + 2, 0, last), -2, 0)
    pixels = padded[rows[..., :, None], columns[..., None, :]]
    values = jnp.einsum("...i,...j,...ij", weights[..., 0, :], weights[..., 1, :], pixels)
    return jnp.clip(values, jnp.min(padded), jnp.max(padded))


def _weight(distance: Array) -> Array:
    s = jnp.abs(distance)
    near = (1.5 * s - 2.5) * s**2 + 1
    far = ((-0.5 * s + 2.5) * s - 4) * s + 2
    return jnp.where(s <= 1, near, jnp.where(s < 2, far, 0.0))
