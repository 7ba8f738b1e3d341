"""Data sets that stay on disk: NumPy's files, folders of images, array_record files, TFDS."""

import io
import mmap
import os
from collections.abc import Callable
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.catalogue import TENSORFLOW_FREE
from aejax.data.dtypes import check_dtype, is_floating
from aejax.data.files import MNIST_FILES, READ_ERRORS, format_advice, npy_header
from aejax.data.image_folder import ImageMode, image_folder
from aejax.data.lazy_array import LazyArray
from aejax.data.prepared import input_of, open_builder


class UnreadableExampleError(ValueError):
    """An example of a stream cannot be read, or is not finite; the message names it."""


class StreamedDataset(NamedTuple):
    """Raw examples that stay where they are, split into train and test.

    name:      what it was opened as.
    train:     [m_train, *features].
    test:      [m_test, *features].
    low, high: the bounds that raw values have by their format, or None.
    """

    name: str
    train: LazyArray
    test: LazyArray
    low: float | None
    high: float | None


def open_stream(
    name: str | PathLike[str],
    *,
    data_dir: str | PathLike[str] | None = None,
    guard: Callable[[LazyArray], LazyArray] | None = None,
    image_mode: ImageMode | None = None,
) -> StreamedDataset:
    """Open a data set without reading it.

    - A `.npy` file, or a folder with `x_train.npy` and `x_test.npy`, is memory-mapped; pages
      are released after each read.
    - A folder of images, all of one size and kind, in the order of their names (`image_folder`).
    - An `.array_record` file, or a folder of them, whose records are each a `.npy` file.
    - A TFDS name, prepared: `mnist`, `fashion_mnist`, or `tfds:NAME`.

    Data without a test split give every fifth example to it, as `load` does.

    Args:
        name: a path or a name.
        data_dir: where TFDS keeps prepared data.
        guard: put around each source, before it is split (default: `guarded`).
        image_mode: what the images of a folder are converted to: "L", "LA", "RGB" or "RGBA"; None
            reads them as they are stored, where that is grey or colour.

    Returns:
        The data set.

    Raises:
        ValueError: for files that are none of these, not of one shape, or of a dtype that is not
            real; for an image_mode of what is no folder of images.
        FileNotFoundError: no such file, or a data set that is not prepared.
    """
    name = os.fspath(name)
    sources = [(guard or guarded)(source) for source in _sources(name, data_dir, image_mode)]
    train, test = sources if len(sources) == 2 else _by_fifths(*sources)
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"{name}: train examples have shape {train.shape[1:]}, test examples {test.shape[1:]}"
        )
    return StreamedDataset(name, train, test, *train.bounds)


def guarded(x: LazyArray, *, skip: int = 0, skipped: set[int] | None = None) -> LazyArray:
    """The same examples, of which those that cannot be read, or are not finite, are named.

    Args:
        x: examples.
        skip: how many of them may be left out. In a batch, the first good one stands in for each.
        skipped: where the numbers of those left out are put.

    Returns:
        The examples.

    Raises:
        UnreadableExampleError: as they are read, at the first that may not be left out.
    """
    left_out: set[int] = set() if skipped is None else skipped

    def read(rows: np.ndarray) -> np.ndarray:
        try:
            found = x[rows]
            if not is_floating(x.dtype) or np.isfinite(found).all():
                return found
        except Exception:
            pass
        good = [(i, _one(x, int(row), skip, left_out)) for i, row in enumerate(rows)]
        whole = {i: example for i, example in good if example is not None}
        if not whole:
            raise UnreadableExampleError(f"no example of a batch of {x.name} can be read")
        stand_in = next(iter(whole.values()))
        return np.stack([whole.get(i, stand_in) for i in range(len(rows))])

    return LazyArray(x.name, read, x.shape, x.dtype, bounds=x.bounds)


def _one(x: LazyArray, row: int, skip: int, skipped: set[int]) -> np.ndarray | None:
    """One example, or None where it is left out."""
    try:
        (example,) = x[[row]]
        if is_floating(x.dtype) and not np.isfinite(example).all():
            raise ValueError("it holds NaN or infinity")
    except Exception as error:
        skipped.add(row)
        if len(skipped) > skip:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UnreadableExampleError(
                f"example {row} of {x.name} cannot be read: {reason}\n"
                f"{skip} may be left out; say --skip N to allow N"
            ) from error
        return None
    return example


def memory_mapped(path: str | PathLike[str]) -> LazyArray:
    """Memory-map a `.npy` file; its pages are released after every read.

    Args:
        path: of the file.

    Returns:
        Its examples, in the machine's byte order.

    Raises:
        ValueError: for what is no array of real numbers, or lies in Fortran's order.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            shape, in_columns, dtype = npy_header(file, path.stat().st_size)
            start = file.tell()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(memory, "madvise"):
            memory.madvise(mmap.MADV_RANDOM)  # what lies beside a row is not wanted next
        check_dtype(dtype, "it")
        if in_columns:
            raise ValueError(
                "it is in Fortran order, of which an example cannot be read at once; save "
                "np.ascontiguousarray of the array"
            )
        if len(shape) < 2 or not prod(shape):
            raise ValueError(f"it holds {dtype}{list(shape)}; a stream needs [examples, *features]")
        x = np.frombuffer(memory, dtype, prod(shape), start).reshape(shape)
    except READ_ERRORS as error:
        raise ValueError(f"{path} is no readable .npy file of numbers: {error}") from error

    def read(rows: np.ndarray) -> np.ndarray:
        found = x[rows].astype(dtype.newbyteorder("="), copy=False)
        if hasattr(memory, "madvise"):  # else all that was ever read would count as ours
            memory.madvise(mmap.MADV_DONTNEED)
        return found

    return LazyArray(str(path), read, shape, dtype.newbyteorder("="))


def array_records(path: str | PathLike[str]) -> LazyArray:
    """The records of an `.array_record` file or of a folder of them, each a `.npy` file.

    Args:
        path: the file or folder.

    Returns:
        Their arrays, all of the first one's shape and dtype.

    Raises:
        ValueError: where the first of them is none.
    """
    import grain

    path = Path(path)
    files = sorted(path.glob("*.array_record*")) if path.is_dir() else [path]
    try:
        source: Any = grain.sources.ArrayRecordDataSource([str(file) for file in files])
        first = _array(source[0])
    except (*READ_ERRORS, IndexError, OSError) as error:
        raise ValueError(f"{path} is no readable .array_record file of arrays: {error}") from error

    def read(rows: np.ndarray) -> np.ndarray:
        found = [_array(source[int(row)]) for row in rows]
        for row, array in zip(rows, found, strict=True):
            if (array.shape, array.dtype) != (first.shape, first.dtype):
                raise ValueError(
                    f"record {row} of {path} is {array.dtype}{list(array.shape)}, the first "
                    f"{first.dtype}{list(first.shape)}"
                )
        return np.stack(found)

    return LazyArray(str(path), read, (len(source), *first.shape), first.dtype)


def _array(record: bytes) -> np.ndarray:
    npy_header(io.BytesIO(record), len(record))  # before NumPy makes room for what it claims
    array = np.load(io.BytesIO(record), allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _sources(
    name: str, data_dir: str | PathLike[str] | None, image_mode: ImageMode | None
) -> list[LazyArray]:
    """All examples, or those of train and of test."""
    path = Path(os.path.expanduser(name))
    prepared = name in TENSORFLOW_FREE or name.startswith("tfds:")
    if not prepared and not path.exists():
        raise FileNotFoundError(f"no file or folder {name}; a stream is a path or a TFDS name")
    parts = [path / f"{part}.npy" for part in MNIST_FILES if part.startswith("x_")]
    in_parts = all(part.exists() for part in parts)
    has_records = any(path.glob("*.array_record*"))
    if path.is_dir() and not (prepared or in_parts or has_records):
        return [image_folder(path, image_mode)]
    if image_mode is not None:
        raise ValueError(f"image_mode is for a folder of images; {name} is none")
    if prepared:
        return _prepared(name, data_dir)
    if in_parts:
        return [memory_mapped(part) for part in parts]
    return [array_records(path) if has_records else _file(path)]


def _file(path: Path) -> LazyArray:
    if path.suffix == ".npy":
        return memory_mapped(path)
    if ".array_record" in path.name:
        return array_records(path)
    raise ValueError(
        f"{path} cannot be streamed; expected .npy, .array_record, or a folder{format_advice(path)}"
    )


def _prepared(name: str, data_dir: str | PathLike[str] | None) -> list[LazyArray]:
    """The splits of a TFDS data set that `load` would read."""
    builder, splits = open_builder(name, data_dir)
    return [_split(name, builder, split) for split in splits]


def _split(name: str, builder: Any, split: str) -> LazyArray:
    key, _ = input_of(name, builder.info)
    feature, source = builder.info.features[key], builder.as_data_source(split)

    def read(rows: np.ndarray) -> np.ndarray:
        return np.stack([example[key] for example in source.__getitems__(rows.tolist())])

    shape = (builder.info.splits[split].num_examples, *feature.shape)
    return LazyArray(f"{name}, {split}", read, shape, feature.np_dtype)


def _by_fifths(x: LazyArray) -> tuple[LazyArray, LazyArray]:
    """`every_fifth` by the numbers of the rows alone."""
    if len(x) < 5:
        raise ValueError(f"{x.name} holds {len(x)} examples; expected at least 5 for a test split")
    held_out = len(x) // 5
    train = x.select(len(x) - held_out, lambda rows: rows + rows // 4)
    return train, x.select(held_out, lambda rows: 5 * rows + 4)
