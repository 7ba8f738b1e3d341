"""Patches of faces, turned and scaled: images of real values."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float

from aejax import data
from aejax.types import Array, Key

OLIVETTI = Path("../shared/data/olivetti/olivetti_64x64.npz")
TEST_PEOPLE = 10
"""The last so many people are of the test set."""
SIDE = 25
"""Of a patch, in pixels."""
SCALES = (1.4, 1.8)
"""Least and greatest; a patch shows the middle of an image, 1/scale of its side."""


def load(place: str) -> data.Dataset:
    """Olivetti's faces, split by people, from the file; or "noise", smooth and made up.

    Args:
        place: of an .npz file with images [images, height, width] and person [images], "olivetti"
            for its usual place, or "noise".

    Returns:
        The images with people as labels: the last ten people make the test set.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    if place == "noise":
        images = np.random.default_rng(0).normal(size=(40, 8, 8)).repeat(4, 1).repeat(4, 2)
        return _split("noise", images, np.arange(40) // 2)
    file = OLIVETTI if place == "olivetti" else Path(place)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; give --data the place of olivetti_64x64.npz")
    with np.load(file) as arrays:
        return _split("olivetti", arrays["images"], arrays["person"])


def patches(
    key: Key, images: Float[Array, "images height width"], *, each: int
) -> Float[Array, "patches pixels"]:
    """Draw patches: an image turned by up to a right angle, enlarged, cropped, of zero mean.

    The pixel at p is taken from c + (height/(25 s)) R(α) (p − (12, 12)), c the image's centre, by
    linear interpolation: α uniform up to π/2 either way, s uniform in `SCALES`. At the least scale
    a patch reaches as far as the image does, however it is turned.

    Args:
        key: of the draws.
        images: square, in any unit.
        each: patches an image.

    Returns:
        Patches of 25 × 25, flat, those of an image together.

    Source: Hinton & Salakhutdinov 2006, supporting online material; that it is the middle which is
    cropped is our reading.
    """
    key_turns, key_scales = jax.random.split(key)
    count = len(images) * each
    turns = jax.random.uniform(key_turns, (count,), minval=-jnp.pi / 2, maxval=jnp.pi / 2)
    scales = jax.random.uniform(key_scales, (count,), minval=SCALES[0], maxval=SCALES[1])
    numbers = jnp.repeat(jnp.arange(len(images)), each)

    def drawn(draw: tuple[Array, Array, Array]) -> Array:
        number, turn, scale = draw
        return patch(images[number], turn, scale)

    return jax.lax.map(drawn, (numbers, turns, scales), batch_size=256)


def patch(image: Float[Array, "height width"], turn: Array, scale: Array) -> Array:
    """The middle of an image, turned and enlarged, with its mean taken off: [625]."""
    rotation = jnp.array([[jnp.cos(turn), -jnp.sin(turn)], [jnp.sin(turn), jnp.cos(turn)]])
    places = jnp.moveaxis(jnp.indices((SIDE, SIDE)), 0, -1).reshape(-1, 2) - (SIDE - 1) / 2
    centre = (jnp.array(image.shape) - 1) / 2
    sources = centre + len(image) / (SIDE * scale) * places @ rotation.T
    values = map_coordinates(image, [*sources.T], order=1, mode="nearest")
    return values - jnp.mean(values)


def _split(name: str, images: np.ndarray, person: np.ndarray) -> data.Dataset:
    test = person >= person.max() + 1 - TEST_PEOPLE
    return data.Dataset(name, images[~test], images[test], person[~test], person[test])
