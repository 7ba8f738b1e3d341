"""Files that are there whole or not at all."""

import os
from pathlib import Path

import numpy as np


def write_text(path: Path, text: str) -> None:
    """Write a text file under another name, then rename it into place.

    Args:
        path: where; its folder is made if it is missing.
        text: what.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under another name, then rename it into place.

    Args:
        path: where; its folder is made if it is missing.
        data: what.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one `.npy` file under another name, then rename it into place.

    Args:
        path: where; its folder is made if it is missing.
        array: what; never pickled.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    os.replace(partial, path)
