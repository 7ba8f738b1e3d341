"""Loading of data sets by name or path."""

import os
from collections.abc import Collection
from os import PathLike
from pathlib import Path

from aejax.data import embedded
from aejax.data.activation_shards import has_shards, open_shards
from aejax.data.array_checks import check_dataset
from aejax.data.catalogue import TENSORFLOW_FREE, is_named
from aejax.data.dataset import Dataset
from aejax.data.dtypes import format_bounds
from aejax.data.files import load_file, no_table, not_images
from aejax.data.image_file import ImageForm, ImageMode
from aejax.data.missing_values import Missing
from aejax.data.prepared import load_prepared
from aejax.data.split import every_fifth

FILE_SUFFIXES = (".npy", ".npz", ".gz", ".csv", ".tsv", ".parquet")
"""Suffixes of a name that is no TFDS name."""


def load(
    name: str | PathLike[str],
    *,
    data_dir: str | PathLike[str] | None = None,
    label: str | None = None,
    ignore: Collection[str] = (),
    missing: Missing = "refuse",
    image_mode: ImageMode | None = None,
    resize: tuple[int, int] | int | None = None,
    crop: tuple[int, int] | None = None,
) -> Dataset:
    """Load a data set by name or path.

    Args:
        name: `digits` or `photos` (included in scikit-learn); `mnist` or `fashion_mnist` (after
            `prepare`); a path (see `load_file`; write `./mnist` for a folder named like a data
            set), or a folder of `.npy` shards (see `open_stream`), which are read into memory; any
            other TFDS name, written `tfds:NAME` if a file has the same name.
        data_dir: TFDS's data directory (default: as in `find_builder`).
        label: column of a table with labels, which are integers or text.
        ignore: columns of a table that are not features, such as identifiers.
        missing: "refuse" missing values of a table; replace them by the "mean" of the observed
            training values; or with "weight-zero" also record the observed values, so that losses
            leave the others out.
        image_mode: mode that the images of a folder are converted to: "L", "LA", "RGB" or "RGBA"
            (default: the stored mode).
        resize: (height, width) that the images are resized to, or the length of the shorter side,
            which keeps the aspect ratio (default: the stored size).
        crop: (height, width) of the centre that is kept, after resizing (default: everything).

    Returns:
        The data set, checked by `check_dataset`.

    Raises:
        ImportError: for a table, if pandas, or pyarrow for Parquet, is missing.
        ValueError: for an unknown data set, an unreadable file, a wrong shape, no examples, NaN or
            infinity; for label, ignore or missing without a table, or image_mode, resize or crop
            without a folder of images.
        FileNotFoundError: for a missing file, or a data set that is not prepared.

    Example:
        >>> from aejax import data
        >>> digits = data.load("digits")
        >>> digits.x_train.shape, digits.x_test.shape, digits.high
        ((1438, 8, 8), (359, 8, 8), 16.0)
    """
    name = os.fspath(name)
    path = Path(os.path.expanduser(name))
    if (label is not None or ignore or missing != "refuse") and is_named(name):
        raise ValueError(no_table(name))
    images = ImageForm(image_mode, resize, crop)
    if images != ImageForm() and (is_named(name) or not path.exists()):
        raise ValueError(not_images(name))
    if name == "digits":
        dataset = embedded.digits()
    elif name == "photos":
        dataset = embedded.photos()
    elif name in TENSORFLOW_FREE or name.startswith("tfds:"):
        dataset = load_prepared(name, data_dir=data_dir)
    elif name and has_shards(path):
        if label is not None or ignore or missing != "refuse":
            raise ValueError(no_table(path))
        if images != ImageForm():
            raise ValueError(not_images(path))
        dataset = _load_shards(path)
    elif name and path.exists():
        dataset = load_file(path, label=label, ignore=ignore, missing=missing, images=images)
    elif path.is_absolute() or name.startswith(".") or path.suffix in FILE_SUFFIXES:
        raise FileNotFoundError(
            f"no file or folder {name}; expected .npy, .npz, .csv, .parquet, or IDX files, or a "
            "folder of images"
        )
    else:
        dataset = load_prepared(name, data_dir=data_dir)
    return check_dataset(dataset)


def _load_shards(folder: Path) -> Dataset:
    """All examples of a folder of shards, with every fifth as test example."""
    rows = open_shards(folder)
    train, test = every_fifth(rows[:])
    return Dataset(folder.resolve().name, train, test, None, None, *format_bounds(rows.dtype))
