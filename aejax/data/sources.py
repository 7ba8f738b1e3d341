"""Loading of data sets by name or path."""

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
        name: `digits` or `photos` (included in scikit-learn); `mnist` or `fashion_mnist` (after
            `prepare`); a path (see `load_file`; write `./mnist` for a folder named like a data
            set); any other TFDS name, written `tfds:NAME` if a file has the same name.
        data_dir: TFDS's data directory (default: as in `find_builder`).

    Returns:
        The data set, checked by `check_dataset`.

    Raises:
        ValueError: for an unknown data set, an unreadable file, a wrong shape, no examples, NaN or
            infinity.
        FileNotFoundError: for a missing file, or a data set that is not prepared.

    Example:
        >>> from aejax import data
        >>> digits = data.load("digits")
        >>> digits.x_train.shape, digits.x_test.shape, digits.high
        ((1438, 8, 8), (359, 8, 8), 16.0)
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
