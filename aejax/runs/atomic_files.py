"""Atomic file writes: a temporary file is renamed to its destination."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8.

    Args:
        path: destination file; its parent directory is created.
        text: contents of the file.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a binary file atomically.

    Args:
        path: destination file; its parent directory is created.
        data: contents of the file.
    """
    with temporary_file(path) as partial:
        partial.write_bytes(data)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a `.npy` file atomically.

    Args:
        path: destination file; its parent directory is created.
        array: the array; ValueError if its dtype would have to be pickled.
    """
    with temporary_file(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Provide a temporary file that replaces the destination when it is complete.

    Args:
        path: destination file; its parent directory is created. The target of a symbolic link is
            replaced, not the link. A pipe or a device (`/dev/stdout`) is written to directly.

    Yields:
        Path of the temporary file. It is removed if writing fails; the destination is then
        unchanged.

    Raises:
        IsADirectoryError: the destination is a directory.
    """
    check_not_directory(path)
    if path.exists() and not path.is_file():  # a rename would delete the pipe or the device
        yield path
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def check_not_directory(path: Path) -> None:
    """Refuse a destination that is a directory.

    Args:
        path: destination file.

    Raises:
        IsADirectoryError: the destination is a directory.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
