"""Three kinds of images as rows: digits, patches of faces, patches of whitened photographs."""

import jax
import jax.numpy as jnp

from aejax import data
from aejax.types import Array, Key
from experiments.harness import faces, whitened_photographs
from experiments.harness.training import flatten_and_scale


def image_rows(
    key: Key, digits: data.Dataset, faces_path: str, photographs_path: str, *, patches: int
) -> dict[str, tuple[Array, Array]]:
    """Training and test examples of each kind; test faces are of other people.

    Args:
        key: key of the patches of faces.
        digits: data set of digits with bounds.
        faces_path: path of the file of faces, or a name that `faces.load` knows.
        photographs_path: path of the file of photographs, or a name that
            `whitened_photographs.load` knows.
        patches: patches per image of a face.

    Returns:
        By kind, x_train and x_test, each [examples, features].
    """
    key_train, key_test, key_order = jax.random.split(key, 3)
    people = faces.load(faces_path)
    x_faces, x_faces_test = (
        faces.sample_patches(key, jnp.asarray(images, float) / 255, each=patches)
        for key, images in ((key_train, people.x_train), (key_test, people.x_test))
    )
    photographs = whitened_photographs.load(photographs_path)
    x_photos, x_photos_test = (
        jnp.asarray(x, float).reshape(len(x), -1) for x in (photographs.x_train, photographs.x_test)
    )
    return {
        "digits": flatten_and_scale(digits),
        "faces": (jax.random.permutation(key_order, x_faces), x_faces_test),
        "photographs": (x_photos, x_photos_test),
    }
