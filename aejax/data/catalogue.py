"""Catalogue of the data sets known by name, and their TFDS builders."""

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
        name: `mnist` or `fashion_mnist` for aejax's builders, which need no TensorFlow; any other
            TFDS name, or `tfds:NAME` (with `/CONFIG` if it has configs), for those of TFDS.
        data_dir: TFDS's data directory (default: `$TFDS_DATA_DIR` or `~/tensorflow_datasets`).

    Returns:
        The builder, whether or not its data set is prepared.

    Raises:
        ValueError: for an unknown data set; the message lists known ones and suggests similar ones.
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
        # invalid or unknown name, config or version
        known = tfds.list_builders(with_community_datasets=False)  # community ones need TensorFlow
        raise ValueError(_no_such_data_set(name, known)) from error


def is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    """Whether a builder's data set is on disk; TFDS writes `dataset_info.json` last."""
    return (Path(builder.data_dir) / "dataset_info.json").is_file()


def has_tensorflow() -> bool:
    """Whether TensorFlow is installed, without importing it."""
    return importlib.util.find_spec("tensorflow") is not None


def _no_such_data_set(name: str, tfds_names: list[str]) -> str:
    known = [*EMBEDDED_DATASETS, *TENSORFLOW_FREE]
    close = difflib.get_close_matches(name.removeprefix("tfds:"), {*known, *tfds_names})
    suggestion = f"; did you mean {' or '.join(close)}?" if close else ""
    # The search of TFDS stops at its first module with a missing dependency, such as h5py.
    hidden = "" if has_tensorflow() else " (TFDS finds some only with the extra aejax[tfds])"
    return (
        f"no data set or file is called {name!r}{suggestion}\n"
        f"Known: {', '.join(known)}, any TFDS name{hidden}, or a path to .npy, .npz or IDX files."
    )


def is_named(name: str) -> bool:
    """Whether a data set is given by its name, and not by a path.

    Args:
        name: name or path of a data set.

    Returns:
        True for the names of data sets that need no path, and for `tfds:NAME`.
    """
    return name in EMBEDDED_DATASETS or name in TENSORFLOW_FREE or name.startswith("tfds:")
