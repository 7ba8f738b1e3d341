"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    with replaced(path) as partial:
        partial.write_bytes(data)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one `.npy` file under another name, then rename it into place.

    Args:
        path: where; its folder is made if it is missing.
        array: what; never pickled.
    """
    with replaced(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name and rename it to its own when it is complete.

    Args:
        path: destination file; its parent directory is created. A symbolic link stays, and the file
            that it leads to is replaced. A pipe or a device (`/dev/stdout`) is written to directly.

    Yields:
        The temporary name. Where writing fails, that file is removed and the destination is left
        as it was.

    Raises:
        IsADirectoryError: the destination is a directory.
    """
    check_file(path)
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


def check_file(path: Path) -> None:
    """Refuse a destination that is a directory, before anything is computed for it.

    Args:
        path: destination file.

    Raises:
        IsADirectoryError: the destination is a directory.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
