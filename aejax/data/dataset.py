"""One data set as the rest of the house sees it, and its fingerprint."""

import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer, Shaped

from aejax.data.example_blocks import blocks


class Dataset(NamedTuple):
    """Raw examples as stored, split into train and test.

    name:         what it was loaded as.
    x_train:      [m_train, *features], any real dtype; may be memory-mapped.
    x_test:       [m_test, *features], the same features.
    labels_train: [m_train] integers, int64 where `load` made them, or None; for segmentation
                  [m_train, *pixels].
    labels_test:  [m_test] likewise.
    low, high:    the bounds that raw values have by their format (0 and 255 for uint8 images, 0 and
                  16 for the digits), or None where the format has none.
    """

    name: str
    x_train: Shaped[np.ndarray, "m_train *features"]
    x_test: Shaped[np.ndarray, "m_test *features"]
    labels_train: Integer[np.ndarray, "m_train *pixels"] | None = None
    labels_test: Integer[np.ndarray, "m_test *pixels"] | None = None
    low: float | None = None
    high: float | None = None


def fingerprint(dataset: Dataset) -> str:
    """Say which data a run has seen: the same arrays give the same fingerprint, wherever from.

    The first 16 hexadecimal digits of the SHA-256 over each array's field name, dtype, shape and
    bytes, read block by block; the data set's name and bounds do not enter.

    Args:
        dataset: any data set.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for field in ("x_train", "x_test", "labels_train", "labels_test"):
        array = getattr(dataset, field)
        if array is None:
            continue
        digest.update(f"{field} {array.dtype.str} {array.shape}\n".encode())
        for _, block in blocks(array):
            digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()[:16]
