"""Segmentation data: CamVid from its file, and synthetic shapes."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from aejax import data
from aejax.types import Array

CAMVID = Path(__file__).parents[3] / "shared" / "data" / "camvid" / "camvid_120x90.npz"
CLASSES = {
    "camvid": (
        *("sky", "building", "pole", "road", "pavement", "tree"),
        *("sign", "fence", "car", "pedestrian", "bicyclist"),
    ),
    "shapes": data.SHAPES,
}


def load(path: str) -> data.Dataset:
    """Load CamVid, or generate shapes; labels are classes of pixels."""
    if path == "shapes":
        x, labels = map(np.asarray, data.shapes(jax.random.key(0), examples=96))
        return data.Dataset("shapes", x[:64], x[64:], labels[:64], labels[64:])
    file = CAMVID if path == "camvid" else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; pass the path of camvid_120x90.npz as --data")
    with np.load(file) as arrays:
        names = ("train_images", "test_images", "train_labels", "test_labels")
        return data.Dataset("camvid", *(arrays[name] for name in names))


def standardised_images(dataset: data.Dataset) -> tuple[Array, Array]:
    """Training and test images with channels standardised by the training images."""
    channels = dataset.x_train.shape[-1]
    scale = data.standardise(dataset.x_train.reshape(-1, channels))
    x, x_test = (
        jnp.asarray(data.normalise(scale, x.reshape(-1, channels)).reshape(x.shape))
        for x in (dataset.x_train, dataset.x_test)
    )
    return x, x_test
