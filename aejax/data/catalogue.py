"""Which data sets there are by name, and the TFDS builder behind a name."""

from __future__ import annotations

import difflib
import importlib.util
import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

EMBEDDED_DATASETS = {
    "digits": "1797 handwritten digits, 8 × 8, from scikit-learn",
    "photos": "grey 12 × 12 patches of two photographs, from scikit-learn",
}
TENSORFLOW_FREE = {
    "mnist": "70,000 handwritten digits, 28 × 28",
    "fashion_mnist": "70,000 articles of clothing, 28 × 28",
}


def find_builder(
    name: str, data_dir: str | PathLike[str] | None = None
) -> tfds.core.DatasetBuilder:
    """Find the TFDS builder of a data set.

    Args:
        name: `mnist` or `fashion_mnist` for ours, which need no TensorFlow; any other TFDS name, or
            `tfds:NAME` (NAME with a config after a slash where it has configs), for TFDS's own.
        data_dir: TFDS's data directory; None for TFDS's convention, `$TFDS_DATA_DIR` or
            `~/tensorflow_datasets`.

    Returns:
        The builder, prepared or not.

    Raises:
        ValueError: no such data set; the message lists what is known and suggests.
    """
    import tensorflow_datasets as tfds

    from aejax.data.mnist import FashionMnist, Mnist

    data_dir = None if data_dir is None else Path(os.path.expanduser(data_dir))
    if name == "mnist":
        return Mnist(data_dir=data_dir)
    if name == "fashion_mnist":
        return FashionMnist(data_dir=data_dir)
    try:
        return tfds.builder(name.removeprefix("tfds:"), data_dir=data_dir)
    except (ValueError, RuntimeError, AssertionError) as error:
        # not found, no such config, not a valid name, no such version
        known = tfds.list_builders(with_community_datasets=False)  # the others need TensorFlow
        raise ValueError(_no_such_data_set(name, known)) from error


def is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    """Say whether a builder's data is on disk; TFDS writes its description last."""
    return (Path(builder.data_dir) / "dataset_info.json").is_file()


def has_tensorflow() -> bool:
    """Say whether TensorFlow is installed, without importing it."""
    return importlib.util.find_spec("tensorflow") is not None


def _no_such_data_set(name: str, tfds_names: list[str]) -> str:
    known = [*EMBEDDED_DATASETS, *TENSORFLOW_FREE]
    close = difflib.get_close_matches(name.removeprefix("tfds:"), {*known, *tfds_names})
    suggestion = f"; did you mean {' or '.join(close)}?" if close else ""
    # TFDS stops looking at the first of its modules that lacks a dependency, such as h5py.
    hidden = "" if has_tensorflow() else " (TFDS finds some only with the extra aejax[tfds])"
    return (
        f"no data set or file is called {name!r}{suggestion}\n"
        f"Known: {', '.join(known)}, any TFDS name{hidden}, or a path to .npy, .npz or IDX files."
    )
