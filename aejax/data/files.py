"""Data sets from user files: `.npy`, `.npz`, IDX, tables and folders of images."""

import math
import os
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from aejax.data.array_checks import check_array
from aejax.data.dataset import Dataset
from aejax.data.dtypes import format_bounds
from aejax.data.idx import MAXIMUM_COMPRESSION, first_bytes, read_idx
from aejax.data.image_file import SUFFIXES as IMAGE_SUFFIXES
from aejax.data.image_file import ImageForm
from aejax.data.image_folder import has_images, load_images
from aejax.data.missing_values import Missing
from aejax.data.split import every_fifth
from aejax.data.table_files import is_table, load_table, read_table

MNIST_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "labels_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "labels_test": "t10k-labels-idx1-ubyte",
}

LABEL_NAMES = {f"{name}{ending}" for name in ("labels", "y") for ending in ("", "_train", "_test")}
"""Names of label arrays in an archive."""

OTHER_TABLE_SUFFIXES = {".txt", ".xlsx", ".feather"}
"""Suffixes of tables that are not read."""

# Exceptions of NumPy and zipfile for damaged or encrypted files, or unsupported compression.
READ_ERRORS = (
    ArithmeticError,
    EOFError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_array(path: str | PathLike[str]) -> Shaped[np.ndarray, "m *features"]:
    """Read one array of examples in the file's order, without a split.

    Args:
        path: `.npy` file (memory-mapped), `.npz` file with one array or one named `x`, IDX file,
            optionally `.gz`, or table (see `load_file`).

    Returns:
        [m, *features], in native byte order.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for an unreadable or pickled file, a wrong rank, no examples, NaN or infinity.
    """
    path = Path(os.path.expanduser(path))
    if path.suffix == ".npz":
        arrays = read_npz(path)
        key = next(iter(arrays)) if len(arrays) == 1 else "x"
        if key not in arrays:
            raise ValueError(
                f"{path} contains {_names(arrays)}; expected one array, or one named x"
            )
        x = arrays[key]
    elif is_table(path):
        x = read_table(path).x
    else:
        x = _read(path)
    check_array(x, str(path))
    return x


def load_file(
    path: str | PathLike[str],
    *,
    label: str | None = None,
    ignore: Collection[str] = (),
    missing: Missing = "refuse",
    images: ImageForm = ImageForm(),
) -> Dataset:
    """Load a data set from a file or a folder.

    - `.npz` file with `x_train` and `x_test`, optionally `labels_train` and `labels_test` (or
      `y_train` and `y_test`); or with `x`, optionally `labels` (or `y`); or with a single array.
    - Folder with the same names as `.npy` files, each memory-mapped; or with the four files of
      MNIST (`train-images-idx3-ubyte` and so on), optionally `.gz`.
    - Single `.npy` or IDX file.
    - Table with a header: `.csv` or `.tsv`, optionally `.gz`, or `.parquet`. Numeric columns are
      features, columns of text become one-hot blocks.
    - Folder of images, or of one subfolder of images for each class (see `find_images`), or of
      such folders `train` and `test`.

    Without a test split, every fifth example becomes test (see `every_fifth`). uint8 values have
    the bounds 0 and 255; other dtypes have none.

    Args:
        path: file or folder.
        label: column of a table with labels, which are integers or text.
        ignore: columns of a table that are not features, such as identifiers.
        missing: treatment of missing values of a table.
        images: form that images are converted to (default: as stored).

    Returns:
        The data set, named after the file, not yet checked (see `check_dataset`).

    Raises:
        FileNotFoundError: if the file or some file of the folder does not exist.
        ImportError: for a table, if pandas, or pyarrow for Parquet, is missing.
        ValueError: for an unreadable file, unexpected array names, labels under two names or under
            a name that does not match that of the examples, or too few examples to split; for
            missing, infinite or unsuitable values of a table, or columns that it does not have;
            for images as `find_splits` and `image_folder`; for an option of other data.
    """
    path = Path(os.path.expanduser(path))
    is_image_folder = is_folder_of_images(path)
    if images != ImageForm() and not is_image_folder:
        raise ValueError(not_images(path))
    if not path.is_dir() and is_table(path):
        return load_table(path, label=label, ignore=ignore, missing=missing)
    if label is not None or ignore or missing != "refuse":
        raise ValueError(no_table(path))
    if is_image_folder:
        return load_images(path, images)
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
            raise ValueError(f"{path} contains a scalar; expected [examples, *features]")
        x_train, x_test = every_fifth(x)
        labels_train, labels_test = (None, None) if labels is None else every_fifth(labels)
        train, test = (x_train, labels_train), (x_test, labels_test)
    else:
        raise ValueError(
            f"{path} contains {_names(arrays)}; expected x_train and x_test (and labels_train, "
            "labels_test), or x (and labels), or a single array"
        )
    low, high = format_bounds(train[0].dtype)
    return Dataset(path.resolve().name, train[0], test[0], train[1], test[1], low, high)


def is_folder_of_images(path: Path) -> bool:
    """Whether a path is read as a folder of images.

    Args:
        path: file or folder.

    Returns:
        True for a folder with images, as `has_images` finds them, and without arrays.
    """
    if not path.is_dir():
        return False
    arrays = [f"{name}.npy" for name in MNIST_FILES]
    idx = [f"{stem}{ending}" for stem in MNIST_FILES.values() for ending in ("", ".gz")]
    return not any(path.joinpath(name).exists() for name in (*arrays, *idx)) and has_images(path)


def no_table(name: object) -> str:
    """Error message for options of tables with other data.

    Args:
        name: name or path of the data.

    Returns:
        The message.
    """
    return (
        "label and ignore name columns of a table, .csv, .tsv or .parquet, and missing is for its "
        f"values, but {name} is none"
    )


def not_images(name: object) -> str:
    """Error message for options of images with other data.

    Args:
        name: name or path of the data.

    Returns:
        The message.
    """
    return f"image_mode, resize and crop are for a folder of images, which {name} is not"


def _labelled(arrays: dict[str, np.ndarray], ending: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Examples of one split, and its labels or None."""
    labels = arrays.get(f"labels{ending}", arrays.get(f"y{ending}"))
    return arrays[f"x{ending}"], _labels_as_int64(labels)


def _check_labels(path: Path, arrays: dict[str, np.ndarray], expected: set[str]) -> None:
    """Reject labels that would be ignored silently, and labels under two names."""
    found = LABEL_NAMES & arrays.keys()
    endings = [name.removeprefix("labels").removeprefix("y") for name in found]
    if found - expected or len(set(endings)) < len(endings):
        raise ValueError(
            f"{path} contains {_names(arrays)}; expected labels of x as labels or y, and those of "
            "x_train and x_test as labels_train and labels_test, or y_train and y_test"
        )


def _labels_as_int64(labels: np.ndarray | None) -> np.ndarray | None:
    """Convert integer labels to int64, so that their stored dtype does not change fingerprints."""
    if labels is None or labels.dtype.kind not in "iu":
        return labels
    return labels.astype(np.int64)


def format_advice(path: Path) -> str:
    """Advice for a file of an unsupported format, as the end of an error message."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if is_table(path):
        return "; a table is loaded into memory: leave out --stream, or use data.load"
    if suffix.lower() in OTHER_TABLE_SUFFIXES:
        return "; save the table as .csv, with the names of the columns in the first line"
    if suffix.lower() in IMAGE_SUFFIXES:
        return "; a data set is a folder of images, of which this may be one"
    if ".array_record" in path.name:
        return "; stream the folder of images or records: --stream, or data.open_stream"
    return ""


def _read(path: Path) -> np.ndarray:
    """Read a file of one array: `.npy`, else IDX."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected one .npy, .npz or IDX file")
    if path.suffix != ".npy":
        head = first_bytes(path)
        if head is not None and head != b"\0\0":
            raise ValueError(f"{path} is not a .npy, .npz or IDX file{format_advice(path)}")
        return read_idx(path)
    try:
        with path.open("rb") as stream:
            npy_header(stream, path.stat().st_size)
        return _to_native_byte_order(np.lib.format.open_memmap(path, mode="r"))
    except READ_ERRORS as error:
        raise ValueError(f"{path} is not a readable .npy file of numbers: {error}") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read every array of an `.npz` file into memory.

    Args:
        path: the file.

    Returns:
        Name -> array, in native byte order.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for an unreadable or pickled file.
    """
    size = path.stat().st_size
    # Opened here, because NumPy does not close the file of a damaged archive.
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                _check_unique(arrays.files)
                for member in arrays.zip.infolist():
                    with arrays.zip.open(member) as stream:
                        npy_header(stream, min(member.file_size, size * MAXIMUM_COMPRESSION))
                return {key: _to_native_byte_order(arrays[key]) for key in arrays}
        except (*READ_ERRORS, OSError) as error:  # OSError: invalid seek in a damaged archive
            raise ValueError(f"{path} is not a readable .npz file of numbers: {error}") from error


def _check_unique(names: list[str]) -> None:
    """Reject repeated names in an archive, of which NumPy would read only one array."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"it contains several arrays named {', '.join(repeated)}")


def npy_header(stream: Any, limit: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of a `.npy` file: shape, Fortran order, dtype.

    Args:
        stream: binary stream at the start of the file; on return, at the start of the array.
        limit: maximum size of the array in bytes.

    Raises:
        ValueError: for a larger array, before NumPy allocates it, or negative dimensions.
    """
    version = np.lib.format.read_magic(stream)
    is_first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"its header has the shape {shape}, with negative dimensions")
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise ValueError(
            f"its header has the shape {shape}, {size} bytes: more than the file can contain"
        )
    return shape, is_fortran, dtype


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
            f"folder {folder} lacks {', '.join(missing)} (optionally .gz); expected the four IDX "
            "files of MNIST, or x_train.npy and x_test.npy"
        )
    return {name: read_idx(path) for name, path in found.items()}


def _to_native_byte_order(x: np.ndarray) -> np.ndarray:
    """Convert to native byte order, which JAX requires."""
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _names(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays)) or "no arrays"
