"""Made-up images with a class for every pixel, for a first look at a segmentation."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aejax.types import Array, Key

SHAPES = ("ground", "square", "cross")
"""The classes of `shapes`, by label; a label of 3 is void."""


def shapes(
    key: Key, *, examples: int, side: int = 16, noise: float = 0.2
) -> tuple[Float[Array, "examples side side 1"], Int[Array, "examples side side"]]:
    """Images of a bright square and a bright cross, five pixels wide, somewhere on a dark ground.

    Brightness tells no shape from the other: only the pixels around do.

    Args:
        key: of the places and the noise.
        examples: how many images.
        side: height and width of each, six or more.
        noise: standard deviation of the Gaussian noise on grounds of 0 and shapes of 1.

    Returns:
        The images, and labels by `SHAPES`: pixels of both shapes are void, 3.

    Raises:
        ValueError: for a side below six, which has no room for a shape.
    """
    if side < 6:
        raise ValueError(f"side must be 6 or more, got {side}")
    key_places, key_noise = jax.random.split(key)
    centres = jax.random.randint(key_places, (2, 2, examples, 1), 2, side - 2)
    distance = jnp.abs(jnp.arange(side) - centres)
    rows, columns = distance[0, ..., :, None], distance[1, ..., None, :]
    square, box = jnp.maximum(rows, columns) <= 2
    cross = box & (jnp.minimum(rows, columns)[1] == 0)
    labels = square + 2 * cross
    clean = (square | cross)[..., None].astype(float)
    return clean + noise * jax.random.normal(key_noise, clean.shape), labels
