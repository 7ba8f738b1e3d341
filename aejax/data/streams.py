"""Streamed data sets, read from disk on access: `.npy`, image folders, array_record, TFDS."""

import io
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Integer

from aejax.data.activation_shards import has_shards, open_shards
from aejax.data.catalogue import TENSORFLOW_FREE
from aejax.data.dtypes import is_floating
from aejax.data.files import READ_ERRORS, format_advice, not_images, npy_header
from aejax.data.image_file import ImageForm, ImageMode
from aejax.data.image_folder import ImageFiles, open_splits
from aejax.data.lazy_array import LazyArray
from aejax.data.memory_mapping import memory_mapped
from aejax.data.prepared import input_of, open_builder
from aejax.data.split import every_fifth
from aejax.repr_text import record_text

SPLITS = "x_train", "x_test"
"""Names of `.npy` files of a split, without their suffix."""


class UnreadableExampleError(ValueError):
    """An example of a stream is unreadable or not finite; the message contains its index."""


class StreamedDataset(NamedTuple):
    """Raw examples on disk, split into train and test.

    name:         name or path that it was opened from.
    train:        [m_train, *features].
    test:         [m_test, *features].
    low, high:    range of raw values, such as 0 and 255 for uint8; None if unknown.
    labels_train: [m_train] int64, for a folder of images with classes; else None.
    labels_test:  labels of the test examples, likewise.
    classes:      names of the classes (a label is an index in it), or None.
    """

    name: str
    train: LazyArray
    test: LazyArray
    low: float | None
    high: float | None
    labels_train: Integer[np.ndarray, " m_train"] | None = None
    labels_test: Integer[np.ndarray, " m_test"] | None = None
    classes: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return record_text(self)


def open_stream(
    name: str | PathLike[str],
    *,
    data_dir: str | PathLike[str] | None = None,
    guard: Callable[[LazyArray], LazyArray] | None = None,
    image_mode: ImageMode | None = None,
    resize: tuple[int, int] | int | None = None,
    crop: tuple[int, int] | None = None,
) -> StreamedDataset:
    """Open a data set without reading it.

    - A `.npy` file, or a folder with `x_train.npy` and `x_test.npy`, is memory-mapped; pages
      are released after each read.
    - A folder of activations that `runs.harvest` has written, or of other `.npy` shards: arrays of
      examples of one shape and dtype, in the order of their names.
    - A folder of images of one size and mode, sorted by file name, or of one subfolder of images
      for each class, or of such folders `train` and `test`.
    - An `.array_record` file, or a folder of them, in which every record is a `.npy` file.
    - The name of a prepared TFDS data set: `mnist`, `fashion_mnist`, or `tfds:NAME`.

    Without a test split, every fifth example is a test example, as in `load`.

    Args:
        name: path or name.
        data_dir: TFDS's data directory.
        guard: function applied to each source before it is split (default: `guarded`).
        image_mode: mode that the images of a folder are converted to: "L", "LA", "RGB" or "RGBA"
            (default: the stored mode).
        resize: (height, width) that the images are resized to, or the length of the shorter side,
            which keeps the aspect ratio (default: the stored size).
        crop: (height, width) of the centre that is kept, after resizing (default: everything).

    Returns:
        The data set.

    Raises:
        ValueError: for other files, examples of several shapes, or a dtype that is not real; for an
            image_mode, resize or crop without a folder of images.
        FileNotFoundError: for a missing file, or a data set that is not prepared.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from aejax import data
        >>> with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        ...     np.save(file.name, np.zeros((10, 3), np.uint8))
        ...     stream = data.open_stream(file.name)
        >>> stream.train.shape, stream.test.shape, stream.high
        ((8, 3), (2, 3), 255.0)
    """
    name = os.fspath(name)
    images = _opened_images(name, ImageForm(image_mode, resize, crop))
    sources = [x for _, x in images] or _sources(name, data_dir)
    parts = [(guard or guarded)(source) for source in sources]
    train, test = parts if len(parts) == 2 else _split_every_fifth(*parts)
    if train.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"{name}: train examples have shape {train.shape[1:]}, test examples {test.shape[1:]}"
        )
    stream = StreamedDataset(name, train, test, *train.bounds)
    if not images or images[0][0].classes is None:
        return stream
    labels = [files.labels for files, _ in images if files.labels is not None]
    labels_train, labels_test = labels if len(labels) == 2 else every_fifth(labels[0])
    return stream._replace(
        labels_train=labels_train, labels_test=labels_test, classes=images[0][0].classes
    )


def guarded(x: LazyArray, *, skip: int = 0, skipped: set[int] | None = None) -> LazyArray:
    """Check on access that examples are readable and finite; skip at most `skip` invalid ones.

    Args:
        x: examples.
        skip: maximum number of skipped examples. In a batch, each is replaced by the first valid
            example.
        skipped: set to which the indices of skipped examples are added.

    Returns:
        The checked examples.

    Raises:
        UnreadableExampleError: on reading, for the first invalid example beyond `skip`.
    """
    skipped_rows: set[int] = set() if skipped is None else skipped

    def read(rows: np.ndarray) -> np.ndarray:
        try:
            found = x[rows]
            if not is_floating(x.dtype) or np.isfinite(found).all():
                return found
        except Exception:
            pass
        examples = [(i, _read_one(x, int(row), skip, skipped_rows)) for i, row in enumerate(rows)]
        valid = {i: example for i, example in examples if example is not None}
        if not valid:
            raise UnreadableExampleError(f"no example of a batch of {x.name} can be read")
        replacement = next(iter(valid.values()))
        return np.stack([valid.get(i, replacement) for i in range(len(rows))])

    return LazyArray(x.name, read, x.shape, x.dtype, bounds=x.bounds)


def _read_one(x: LazyArray, row: int, skip: int, skipped: set[int]) -> np.ndarray | None:
    """One example, or None if it is skipped."""
    try:
        (example,) = x[[row]]
        if is_floating(x.dtype) and not np.isfinite(example).all():
            raise ValueError("it contains NaN or infinity")
    except Exception as error:
        skipped.add(row)
        if len(skipped) > skip:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UnreadableExampleError(
                f"example {row} of {x.name} cannot be read: {reason}\n"
                f"At most {skip} examples may be skipped; use --skip N to allow N."
            ) from error
        return None
    return example


def array_records(path: str | PathLike[str]) -> LazyArray:
    """Open an `.array_record` file, or a folder of them, in which every record is a `.npy` file.

    Args:
        path: file or folder.

    Returns:
        The arrays of the records, which have the shape and dtype of the first one.

    Raises:
        ValueError: if the first record is not a `.npy` file.
        ModuleNotFoundError: if Grain is not installed.
    """
    try:
        import grain
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {path} needs Grain; install the extra: pip install 'aejax[grain]'"
        ) from error

    path = Path(path)
    files = sorted(path.glob("*.array_record*")) if path.is_dir() else [path]
    try:
        source: Any = grain.sources.ArrayRecordDataSource([str(file) for file in files])
        first = _array(source[0])
    except (*READ_ERRORS, IndexError, OSError) as error:
        raise ValueError(f"{path} is not a readable .array_record of arrays: {error}") from error

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
    npy_header(io.BytesIO(record), len(record))  # check the size before NumPy allocates the array
    array = np.load(io.BytesIO(record), allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _opened_images(name: str, form: ImageForm) -> list[tuple[ImageFiles, LazyArray]]:
    """Splits of a folder of images; none for other data."""
    path = Path(os.path.expanduser(name))
    arrays = [path / f"{part}.npy" for part in SPLITS]
    is_array = all(map(Path.exists, arrays)) or has_shards(path)
    is_other = _is_prepared(name) or is_array or _has_records(path)
    if path.is_dir() and not is_other:
        return open_splits(path, form)
    if form != ImageForm() and (_is_prepared(name) or path.exists()):
        raise ValueError(not_images(name))
    return []


def _sources(name: str, data_dir: str | PathLike[str] | None) -> list[LazyArray]:
    """One array of all examples, or two: train and test."""
    path = Path(os.path.expanduser(name))
    if _is_prepared(name):
        return _prepared(name, data_dir)
    if not path.exists():
        raise FileNotFoundError(f"no file or folder {name}; a stream is a path or a TFDS name")
    if _has_records(path):
        return [array_records(path)]
    if has_shards(path):
        return [open_shards(path)]
    return (
        [memory_mapped(path / f"{part}.npy") for part in SPLITS] if path.is_dir() else [_file(path)]
    )


def _is_prepared(name: str) -> bool:
    return name in TENSORFLOW_FREE or name.startswith("tfds:")


def _has_records(path: Path) -> bool:
    return any(path.glob("*.array_record*"))


def _file(path: Path) -> LazyArray:
    if path.suffix == ".npy":
        return memory_mapped(path)
    if ".array_record" in path.name:
        return array_records(path)
    raise ValueError(
        f"{path} cannot be streamed; expected .npy, .array_record, or a folder{format_advice(path)}"
    )


def _prepared(name: str, data_dir: str | PathLike[str] | None) -> list[LazyArray]:
    """Train and test splits of a TFDS data set, as in `load`."""
    builder, splits = open_builder(name, data_dir)
    return [_split(name, builder, split) for split in splits]


def _split(name: str, builder: Any, split: str) -> LazyArray:
    key, _ = input_of(name, builder.info)
    feature, source = builder.info.features[key], builder.as_data_source(split)

    def read(rows: np.ndarray) -> np.ndarray:
        return np.stack([example[key] for example in source.__getitems__(rows.tolist())])

    shape = (builder.info.splits[split].num_examples, *feature.shape)
    return LazyArray(f"{name}, {split}", read, shape, feature.np_dtype)


def _split_every_fifth(x: LazyArray) -> tuple[LazyArray, LazyArray]:
    """Split as `every_fifth` does, by row indices, without reading the rows."""
    if len(x) < 5:
        raise ValueError(f"{x.name} has {len(x)} examples; expected at least 5 for a test split")
    test_size = len(x) // 5
    train = x.select(len(x) - test_size, lambda rows: rows + rows // 4)
    return train, x.select(test_size, lambda rows: 5 * rows + 4)
