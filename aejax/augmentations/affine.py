"""Random affine augmentation of images, (key, x) -> x_augmented.

The augmented image is both input and target, whereas the target of a corruption is the clean x.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.augmentations.interpolation import Interpolation, linear
from aejax.hyperparameters import check_range
from aejax.types import Array, Augmentation, Key


def affine(
    *,
    rotation: float = 0.0,
    stretch: float = 0.0,
    shear: float = 0.0,
    shift: float = 0.0,
    interpolation: Interpolation = linear,
) -> Augmentation:
    """Random rotation, scaling, shear and shift of each image about its centre.

    The pixel at p = (y, x) is sampled at c + A (p − c) + t, zero outside, with the image centre c,
    A = [[1, 0], [s, 1]] diag(e^u, e^v) R(α), rotation matrix R, and uniform α, s, u, v and t.
    Linear interpolation blurs, so evaluation images are sharper than training images.

    Args:
        rotation: maximum |α|, in radians.
        stretch: maximum |u| and |v|, logarithms of the scale factors of height and width.
        shear: maximum |s|.
        shift: maximum |t| in each direction, in pixels.
        interpolation: interpolation between pixels; `interpolation.cubic` blurs less than `linear`.

    Returns:
        The augmentation of images [batch, height, width]. For flat examples, see
        `corruptions.on_images`.

    Raises:
        ValueError: for a concrete negative maximum; from the augmentation, if x is not of rank 3.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import augmentations
        >>> augment = augmentations.affine(rotation=0.2, shift=2.0)
        >>> augment(jax.random.key(0), jnp.ones((5, 28, 28))).shape
        (5, 28, 28)

    Source: Simard, Steinkraus & Platt 2003, §2.
    """
    ranges = {"rotation": rotation, "stretch": stretch, "shear": shear, "shift": shift}
    for name, maximum in ranges.items():
        check_range(f"maximum {name}", maximum, 0, jnp.inf)

    def augment(key: Key, x: Array) -> Array:
        if x.ndim != 3:
            raise ValueError(
                f"expected images [batch, height, width], got shape {list(x.shape)}; "
                "wrap the augmentation in corruptions.on_images(…, image_shape=…)"
            )
        draws = jax.random.uniform(key, (x.shape[0], 6), x.dtype, minval=-1.0)
        maxima = jnp.array([rotation, stretch, stretch, shear, shift, shift], x.dtype)
        return jax.vmap(partial(_transform, interpolation))(x, draws * maxima)

    return augment


def _transform(
    interpolation: Interpolation, image: Float[Array, "height width"], draw: Float[Array, "6"]
) -> Array:
    angle, log_height, log_width, shear, down, right = draw
    rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    factors = jnp.exp(jnp.array([log_height, log_width]))
    matrix = jnp.array([[1.0, 0.0], [shear, 1.0]]) @ (factors[:, None] * rotation)
    centre = (jnp.array(image.shape, image.dtype) - 1) / 2
    positions = jnp.moveaxis(jnp.indices(image.shape, image.dtype), 0, -1) - centre
    sources = positions @ matrix.T.astype(image.dtype) + centre + jnp.array([down, right])
    return interpolation(image, sources)
