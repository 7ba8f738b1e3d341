"""Data sets from files of the user's own: NumPy's and IDX."""

import math
import os
import tokenize
import zipfile
import zlib
from collections import Counter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from aejax.data.array_checks import check_array
from aejax.data.dataset import Dataset
from aejax.data.dtypes import format_bounds
from aejax.data.idx import MAXIMUM_COMPRESSION, first_bytes, read_idx
from aejax.data.image_folder import SUFFIXES as IMAGE_SUFFIXES
from aejax.data.split import every_fifth

MNIST_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "labels_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "labels_test": "t10k-labels-idx1-ubyte",
}

LABEL_NAMES = {f"{name}{ending}" for name in ("labels", "y") for ending in ("", "_train", "_test")}
"""Names under which an archive may hold labels."""

TABLE_SUFFIXES = {".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".feather"}

# What NumPy and zipfile raise at files that are damaged, encrypted, or compressed in another way.
READ_ERRORS = (
    ArithmeticError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_array(path: str | PathLike[str]) -> Shaped[np.ndarray, "m *features"]:
    """Read one array of examples, in the file's order and with no split.

    Args:
        path: `.npy` (memory-mapped), `.npz` that holds one array or one named `x`, or an IDX file,
            `.gz` or not.

    Returns:
        [m, *features], in the machine's byte order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: unreadable, pickled, of the wrong rank, empty, or not finite.
    """
    path = Path(os.path.expanduser(path))
    if path.suffix == ".npz":
        arrays = read_npz(path)
        key = next(iter(arrays)) if len(arrays) == 1 else "x"
        if key not in arrays:
            raise ValueError(f"{path} holds {_listed(arrays)}; expected one array, or one named x")
        x = arrays[key]
    else:
        x = _read(path)
    check_array(x, str(path))
    return x


def load_file(path: str | PathLike[str]) -> Dataset:
    """Make a data set of a file or a folder.

    - `.npz` with `x_train` and `x_test`, and `labels_train`, `labels_test` (or `y_train`, `y_test`)
      if there are any; or with `x` and perhaps `labels` (or `y`); or with a single array.
    - A folder with the same names as `.npy` files, each memory-mapped; or with the four files of
      MNIST (`train-images-idx3-ubyte` and so on), `.gz` or not.
    - A single `.npy` or IDX file.

    Data without a test split gives every fifth example to it (see `every_fifth`). Values of uint8
    have the bounds 0 and 255; other dtypes have none.

    Args:
        path: the file or folder.

    Returns:
        The data set, named after the file, not yet checked (see `check_dataset`).

    Raises:
        FileNotFoundError: no such file, or a folder that lacks some of its files.
        ValueError: an unreadable file, arrays with unexpected names, labels under two names or
            under names that do not match those of the examples, too few examples to split.
    """
    path = Path(os.path.expanduser(path))
    if path.is_dir():
        arrays = _read_folder(path)
    elif path.suffix == ".npz":
        arrays = read_npz(path)
    else:
        arrays = {"x": _read(path)}
    if len(arrays) == 1:
        arrays = {"x": next(iter(arrays.values()))}
    if {"x_train", "x_test"} <= arrays.keys():
        _check_labels(path, arrays, {"labels_train", "y_train", "labels_test", "y_test"})
        train, test = (_labelled(arrays, f"_{split}") for split in ("train", "test"))
    elif "x" in arrays:
        _check_labels(path, arrays, {"labels", "y"})
        x, labels = _labelled(arrays, "")
        if x.ndim == 0:
            raise ValueError(f"{path} holds a single number; expected [examples, *features]")
        x_train, x_test = every_fifth(x)
        labels_train, labels_test = (None, None) if labels is None else every_fifth(labels)
        train, test = (x_train, labels_train), (x_test, labels_test)
    else:
        raise ValueError(
            f"{path} holds {_listed(arrays)}; expected x_train and x_test (and labels_train, "
            "labels_test), or x (and labels), or a single array"
        )
    low, high = format_bounds(train[0].dtype)
    return Dataset(path.resolve().name, train[0], test[0], train[1], test[1], low, high)


def _labelled(arrays: dict[str, np.ndarray], ending: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The examples of one split, and its labels if there are any."""
    labels = arrays.get(f"labels{ending}", arrays.get(f"y{ending}"))
    return arrays[f"x{ending}"], _int64(labels)


def _check_labels(path: Path, arrays: dict[str, np.ndarray], expected: set[str]) -> None:
    """Refuse labels that would be left out in silence, or of which one of two would be taken."""
    found = LABEL_NAMES & arrays.keys()
    endings = [name.removeprefix("labels").removeprefix("y") for name in found]
    if found - expected or len(set(endings)) < len(endings):
        raise ValueError(
            f"{path} holds {_listed(arrays)}; expected labels of x as labels or y, and those of "
            "x_train and x_test as labels_train and labels_test, or y_train and y_test"
        )


def _int64(labels: np.ndarray | None) -> np.ndarray | None:
    """Integer labels as int64, so that their storage does not show in a fingerprint."""
    if labels is None or labels.dtype.kind not in "iu":
        return labels
    return labels.astype(np.int64)


def format_advice(path: Path) -> str:
    """What to do with a file of another kind than is read, as the end of a message."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() in TABLE_SUFFIXES:
        return '; save a table by np.save("x.npy", table), as pandas or np.loadtxt reads it'
    if suffix.lower() in IMAGE_SUFFIXES or ".array_record" in path.name:
        return "; images and records are streamed: --stream, or data.open_stream, of their folder"
    return ""


def _read(path: Path) -> np.ndarray:
    """Read a file that holds one array: `.npy`, else IDX."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected one .npy, .npz or IDX file")
    if path.suffix != ".npy":
        head = first_bytes(path)
        if head is not None and head != b"\0\0":
            raise ValueError(f"{path} is no .npy, .npz or IDX file{format_advice(path)}")
        return read_idx(path)
    try:
        with path.open("rb") as stream:
            npy_header(stream, path.stat().st_size)
        return _native(np.lib.format.open_memmap(path, mode="r"))
    except READ_ERRORS as error:
        raise ValueError(f"{path} is no readable .npy file of numbers: {error}") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read every array of an `.npz` file; the format allows no memory-mapping.

    Args:
        path: the file.

    Returns:
        Name -> array, in the machine's byte order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unreadable or pickled file.
    """
    size = path.stat().st_size
    # A file of ours, because NumPy leaves its own open where the archive is broken.
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                _check_unique(arrays.files)
                for member in arrays.zip.infolist():
                    with arrays.zip.open(member) as stream:
                        npy_header(stream, min(member.file_size, size * MAXIMUM_COMPRESSION))
                return {key: _native(arrays[key]) for key in arrays}
        except (*READ_ERRORS, OSError) as error:  # a seek to nowhere, in a damaged archive
            raise ValueError(f"{path} is no readable .npz file of numbers: {error}") from error


def _check_unique(names: list[str]) -> None:
    """Refuse an archive of which NumPy would read one of several arrays of a name."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"it holds several arrays called {', '.join(repeated)}")


def npy_header(stream: Any, limit: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and dtype, from the head of a `.npy` file.

    Args:
        stream: of the file; it is left where the array begins.
        limit: bytes that the file can hold.

    Raises:
        ValueError: for an array larger than that, before NumPy makes room for it.
    """
    version = np.lib.format.read_magic(stream)
    first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, in_columns, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"its header says shape {shape}: negative dimensions")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > limit:
        raise ValueError(
            f"its header says shape {shape}, {claimed} bytes: more than the file can hold"
        )
    return shape, in_columns, dtype


def _read_folder(folder: Path) -> dict[str, np.ndarray]:
    """Read `x_train.npy`, `x_test.npy` and their labels, or the four IDX files of MNIST."""
    numpy_files = {name: folder / f"{name}.npy" for name in MNIST_FILES}
    if numpy_files["x_train"].exists() and numpy_files["x_test"].exists():
        return {name: _read(path) for name, path in numpy_files.items() if path.exists()}
    found = {
        name: path
        for name, stem in MNIST_FILES.items()
        for path in (folder / stem, folder / f"{stem}.gz")
        if path.exists()
    }
    missing = [stem for name, stem in MNIST_FILES.items() if name not in found]
    if len(missing) == len(MNIST_FILES) and any(map(format_advice, folder.iterdir())):
        other = next(path for path in sorted(folder.iterdir()) if format_advice(path))
        raise ValueError(
            f"folder {folder} contains no .npy or IDX files, only others such as {other.name}"
            f"{format_advice(other)}"
        )
    if missing:
        raise FileNotFoundError(
            f"folder {folder} lacks {', '.join(missing)} (.gz or not); expected the four IDX files "
            "of MNIST, or x_train.npy and x_test.npy"
        )
    return {name: read_idx(path) for name, path in found.items()}


def _native(x: np.ndarray) -> np.ndarray:
    """The same values in the machine's byte order, which JAX requires."""
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _listed(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays)) or "no arrays"
