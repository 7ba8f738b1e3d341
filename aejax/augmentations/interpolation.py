"""Values of an image between its pixels: (image, places) -> values, zero beyond the edge.

Linear interpolation is an average of pixels: what it moves by half a pixel it blurs as well. Cubic
convolution weighs some of them negatively, which keeps edges nearly as sharp as they were.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float

from aejax.types import Array

Interpolation = Callable[
    [Float[Array, "height width"], Float[Array, "*places 2"]], Float[Array, "*places"]
]
"""An image [height, width] and places (y, x), in pixels from its first one -> values there."""


def linear(
    image: Float[Array, "height width"], places: Float[Array, "*places 2"]
) -> Float[Array, "*places"]:
    """The mean of the four pixels around a place, each weighted by its nearness.

    Args:
        image: [height, width].
        places: [*places, 2], y and x.

    Returns:
        Values [*places], between the least and the greatest pixel and zero.
    """
    return map_coordinates(image, [places[..., 0], places[..., 1]], order=1, cval=0.0)


def cubic(
    image: Float[Array, "height width"], places: Float[Array, "*places 2"]
) -> Float[Array, "*places"]:
    """Cubic convolution of the sixteen pixels around a place, cut to the range of all pixels.

        u(s) = 3/2 |s|³ − 5/2 |s|² + 1 for |s| ≤ 1,
        u(s) = −1/2 |s|³ + 5/2 |s|² − 4 |s| + 2 for 1 < |s| < 2,   0 beyond,

    in each direction. It is exact for images that are quadratic in y and x, and it overshoots at
    edges: what lies beyond the range of the image and zero is cut.

    Args:
        image: [height, width].
        places: [*places, 2], y and x.

    Returns:
        Values [*places], between the least and the greatest pixel and zero.

    Source: Keys 1981, Cubic convolution interpolation for digital image processing, eq. 15.
    """
    surrounded = jnp.pad(image, 2)
    first = jnp.floor(places)[..., None] + jnp.arange(-1, 3, dtype=places.dtype)  # [*places, 2, 4]
    weights = _weight(places[..., None] - first)
    greatest = jnp.array(surrounded.shape)[:, None] - 1
    rows, columns = jnp.moveaxis(jnp.clip(first.astype(int) + 2, 0, greatest), -2, 0)
    around = surrounded[rows[..., :, None], columns[..., None, :]]
    values = jnp.einsum("...i,...j,...ij", weights[..., 0, :], weights[..., 1, :], around)
    return jnp.clip(values, jnp.min(surrounded), jnp.max(surrounded))


def _weight(distance: Array) -> Array:
    s = jnp.abs(distance)
    near = (1.5 * s - 2.5) * s**2 + 1
    far = ((-0.5 * s + 2.5) * s - 4) * s + 2
    return jnp.where(s <= 1, near, jnp.where(s < 2, far, 0.0))
