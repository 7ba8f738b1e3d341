"""Synthetic images with a class label for every pixel, for segmentation examples."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aejax.types import Array, Key

SHAPES = ("ground", "square", "cross")
"""Classes of `shapes`, by label; label 3 is void."""


def shapes(
    key: Key, *, examples: int, side: int = 16, noise: float = 0.2
) -> tuple[Float[Array, "examples side side 1"], Int[Array, "examples side side"]]:
    """Images of a square and a cross, five pixels wide, at random positions on a dark background.

    Both shapes have the same brightness, so a pixel's class depends on its surroundings.

    Args:
        key: key of the positions and the noise.
        examples: number of images.
        side: height and width of each image, at least six.
        noise: standard deviation of the Gaussian noise; the background is 0, the shapes are 1.

    Returns:
        The images, and their labels by `SHAPES`; pixels of both shapes are void (3).

    Raises:
        ValueError: for a side below six, which is too small for a shape.
    """
    if side < 6:
        raise ValueError(f"side must be at least 6, got {side}")
    key_centres, key_noise = jax.random.split(key)
    centres = jax.random.randint(key_centres, (2, 2, examples, 1), 2, side - 2)
    distance = jnp.abs(jnp.arange(side) - centres)
    rows, columns = distance[0, ..., :, None], distance[1, ..., None, :]
    square, box = jnp.maximum(rows, columns) <= 2
    cross = box & (jnp.minimum(rows, columns)[1] == 0)
    labels = square + 2 * cross
    clean = (square | cross)[..., None].astype(float)
    return clean + noise * jax.random.normal(key_noise, clean.shape), labels
