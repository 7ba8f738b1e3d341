"""In-memory data set with train and test splits, and its fingerprint."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Integer, Shaped

from aejax.data.columns import Schema
from aejax.data.example_blocks import blocks
from aejax.repr_text import record_text


class Dataset(NamedTuple):
    """Raw examples as stored, split into train and test.

    name:         name or path that it was loaded from.
    x_train:      [m_train, *features], any real dtype; may be memory-mapped.
    x_test:       [m_test, *features], the same features.
    labels_train: [m_train] integers (int64 from `load`) or None; for segmentation
                  [m_train, *pixels].
    labels_test:  labels of the test examples, likewise.
    low, high:    range of raw values that the format allows (0 and 255 for uint8 images, 0 and 16
                  for `digits`), or None.
    schema:       columns of a table, or None.
    classes:      names of the classes (a label is an index in it), or None.
    observed_train, observed_test: whether each value is known, with the shape of x; a value that is
                  not known has been filled in and is left out of losses. None if all are known.
    """

    name: str
    x_train: Shaped[np.ndarray, "m_train *features"]
    x_test: Shaped[np.ndarray, "m_test *features"]
    labels_train: Integer[np.ndarray, "m_train *pixels"] | None = None
    labels_test: Integer[np.ndarray, "m_test *pixels"] | None = None
    low: float | None = None
    high: float | None = None
    schema: Schema | None = None
    classes: tuple[str, ...] | None = None
    observed_train: Bool[np.ndarray, "m_train *features"] | None = None
    observed_test: Bool[np.ndarray, "m_test *features"] | None = None

    def __repr__(self) -> str:
        return record_text(self)

    def _repr_html_(self) -> str:
        from aejax.data.dataset_preview import preview_html  # shown in notebooks only

        arrays = {"train": self.x_train, "test": self.x_test, "labels": self.labels_train}
        found = {name: array for name, array in arrays.items() if array is not None}
        return preview_html(self.name, found, self.schema)


def fingerprint(dataset: Dataset) -> str:
    """Fingerprint of the arrays of a data set, to recognise the data of a run.

    The first 16 hexadecimal digits of the SHA-256 of each array's field name, dtype, shape and
    bytes, read block by block. The name, bounds, and names of columns and classes are not included.

    Args:
        dataset: any data set.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> from aejax import data
        >>> data.fingerprint(data.load("digits"))
        'd88c9d8dfd3ce3c8'
    """
    fields = ("x_train", "x_test", "labels_train", "labels_test", "observed_train", "observed_test")
    return fingerprint_arrays({field: getattr(dataset, field) for field in fields})


def fingerprint_arrays(arrays: Mapping[str, np.ndarray | jax.Array | None]) -> str:
    """Fingerprint of arrays by name, as that of a `Dataset`.

    Args:
        arrays: arrays by name; those that are None are left out.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for field, array in arrays.items():
        if array is None:
            continue
        digest.update(f"{field} {array.dtype.str} {array.shape}\n".encode())
        for _, block in blocks(array):
            digest.update(block.tobytes())  # a buffer of bfloat16 has no format
    return digest.hexdigest()[:16]
