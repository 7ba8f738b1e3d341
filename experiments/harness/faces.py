"""Rotated and scaled patches of faces, with real-valued pixels."""

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
"""Number of test people, the last ones of the data."""
SIDE = 25
"""Side of a patch in pixels."""
SCALES = (1.4, 1.8)
"""Minimum and maximum scale; a patch shows the centre of an image, 1/scale of its side."""


def load(path: str) -> data.Dataset:
    """Load Olivetti's faces split by people, or synthetic smooth noise.

    Args:
        path: path of an .npz file with images [images, height, width] and person [images],
            "olivetti" for its default path, or "noise".

    Returns:
        Images with people as labels; the last ten people are the test set.

    Raises:
        FileNotFoundError: if the file is missing.
    """
    if path == "noise":
        images = np.random.default_rng(0).normal(size=(40, 8, 8)).repeat(4, 1).repeat(4, 2)
        return _split("noise", images, np.arange(40) // 2)
    file = OLIVETTI if path == "olivetti" else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; pass the path of olivetti_64x64.npz as --data")
    with np.load(file) as arrays:
        return _split("olivetti", arrays["images"], arrays["person"])


def sample_patches(
    key: Key, images: Float[Array, "images height width"], *, each: int
) -> Float[Array, "patches pixels"]:
    """Sample patches: images rotated by up to 90°, scaled, cropped and centred to mean zero.

    The pixel at p is interpolated linearly at c + (height/(25 s)) R(α) (p − (12, 12)), where c is
    the image's centre, α is uniform in [−π/2, π/2] and s uniform in `SCALES`. At the minimum scale
    a patch stays inside the image for every rotation.

    Args:
        key: key of the random numbers.
        images: square images in any unit.
        each: number of patches per image.

    Returns:
        Flattened patches of 25 × 25, grouped by image.

    Source: Hinton & Salakhutdinov 2006, supporting online material (the central crop is our
    interpretation).
    """
    key_angles, key_scales = jax.random.split(key)
    count = len(images) * each
    angles = jax.random.uniform(key_angles, (count,), minval=-jnp.pi / 2, maxval=jnp.pi / 2)
    scales = jax.random.uniform(key_scales, (count,), minval=SCALES[0], maxval=SCALES[1])
    indices = jnp.repeat(jnp.arange(len(images)), each)

    def extract(sample: tuple[Array, Array, Array]) -> Array:
        index, angle, scale = sample
        return extract_patch(images[index], angle, scale)

    return jax.lax.map(extract, (indices, angles, scales), batch_size=256)


def extract_patch(image: Float[Array, "height width"], angle: Array, scale: Array) -> Array:
    """Extract the rotated and scaled centre of an image, [625], with mean zero."""
    rotation = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    offsets = jnp.moveaxis(jnp.indices((SIDE, SIDE)), 0, -1).reshape(-1, 2) - (SIDE - 1) / 2
    centre = (jnp.array(image.shape) - 1) / 2
    sources = centre + len(image) / (SIDE * scale) * offsets @ rotation.T
    values = map_coordinates(image, [*sources.T], order=1, mode="nearest")
    return values - jnp.mean(values)


def _split(name: str, images: np.ndarray, person: np.ndarray) -> data.Dataset:
    test = person >= person.max() + 1 - TEST_PEOPLE
    return data.Dataset(name, images[~test], images[test], person[~test], person[test])
