"""`load`: one name or path in, one checked data set out."""

import os
from os import PathLike
from pathlib import Path

from aejax.data import embedded
from aejax.data.array_checks import check_dataset
from aejax.data.catalogue import TENSORFLOW_FREE
from aejax.data.dataset import Dataset
from aejax.data.files import load_file
from aejax.data.prepared import load_prepared


def load(name: str | PathLike[str], *, data_dir: str | PathLike[str] | None = None) -> Dataset:
    """Load a data set by name or path.

    Args:
        name: `digits` or `photos`, which come with scikit-learn; `mnist` or `fashion_mnist`, once
            prepared; a path to files of one's own (see `load_file`; write `./mnist` for a folder
            of a known name); any other TFDS name, `tfds:NAME` where a file has the same name.
        data_dir: where TFDS keeps prepared data; None for TFDS's convention.

    Returns:
        The data set, checked: real, finite, non-empty, at least one feature axis.

    Raises:
        ValueError: no such data set, an unreadable file, a wrong shape, NaN or infinity, no data.
        FileNotFoundError: no such file, or a data set that is not prepared.
    """
    name = os.fspath(name)
    path = Path(os.path.expanduser(name))
    if name == "digits":
        dataset = embedded.digits()
    elif name == "photos":
        dataset = embedded.photos()
    elif name in TENSORFLOW_FREE or name.startswith("tfds:"):
        dataset = load_prepared(name, data_dir=data_dir)
    elif name and path.exists():
        dataset = load_file(path)
    elif path.is_absolute() or name.startswith(".") or path.suffix in (".npy", ".npz", ".gz"):
        raise FileNotFoundError(f"no file or folder {name}; expected .npy, .npz, or IDX files")
    else:
        dataset = load_prepared(name, data_dir=data_dir)
    return check_dataset(dataset)
