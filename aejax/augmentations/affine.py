"""Augmentations: other examples made of those there are, (key, x) -> x. The target goes with them.

A corruption is undone by the decoder; an augmented example is one to be reconstructed as it is.
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
    """Each image turned, stretched, sheared and shifted about its centre, by draws of its own.

    The pixel at y, x is taken from c + A (y − c_y, x − c_x) + t, zero outside:
    A = [[1, 0], [s, 1]] diag(e^u, e^v) R(α) with α, s, u, v and t uniform. What is trained on moved
    images and used on others sees the difference that interpolation makes: the linear one blurs.

    Args:
        rotation: greatest |α|, in radians.
        stretch: greatest |u| and |v|, the logarithms of height and width.
        shear: greatest |s|.
        shift: greatest |t| in each direction, in pixels.
        interpolation: between pixels; `interpolation.cubic` keeps images sharper than `linear`.

    Returns:
        The augmentation of images [batch, height, width]; `corruptions.on_images` takes it to flat
        examples.

    Raises:
        ValueError: for a concrete negative range; from the augmentation, for x of another rank.

    Source: Simard, Steinkraus & Platt 2003, §2.
    """
    ranges = {"rotation": rotation, "stretch": stretch, "shear": shear, "shift": shift}
    for name, greatest in ranges.items():
        check_range(f"greatest {name}", greatest, 0, jnp.inf)

    def augment(key: Key, x: Array) -> Array:
        if x.ndim != 3:
            raise ValueError(
                f"expected images [batch, height, width], got shape {list(x.shape)}; "
                "wrap the augmentation in corruptions.on_images(…, image_shape=…)"
            )
        draws = jax.random.uniform(key, (x.shape[0], 6), x.dtype, minval=-1.0)
        greatest = jnp.array([rotation, stretch, stretch, shear, shift, shift], x.dtype)
        return jax.vmap(partial(_moved, interpolation))(x, draws * greatest)

    return augment


def _moved(
    interpolation: Interpolation, image: Float[Array, "height width"], draw: Float[Array, "6"]
) -> Array:
    angle, log_height, log_width, shear, down, right = draw
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    sizes = jnp.exp(jnp.array([log_height, log_width]))
    matrix = jnp.array([[1.0, 0.0], [shear, 1.0]]) @ (sizes[:, None] * turn)
    centre = (jnp.array(image.shape, image.dtype) - 1) / 2
    places = jnp.moveaxis(jnp.indices(image.shape, image.dtype), 0, -1) - centre
    sources = places @ matrix.T.astype(image.dtype) + centre + jnp.array([down, right])
    return interpolation(image, sources)
