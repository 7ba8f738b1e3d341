"""Folders that appear complete or not at all: a temporary folder is renamed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def can_be_created(path: Path) -> bool:
    """Whether a new folder can take a path: nothing is there, or an empty folder.

    Args:
        path: path of the folder.

    Returns:
        False for anything else, symbolic links included.
    """
    if path.is_symlink():
        return False
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Provide a temporary folder that becomes the destination when it is complete.

    Args:
        path: destination, which must not exist, or be an empty folder; its parent is created.

    Yields:
        Path of the temporary folder, in the same directory. It is removed if writing fails.

    Raises:
        FileExistsError: the destination exists and is not empty.
    """
    if not can_be_created(path):
        raise FileExistsError(f"{path} exists: choose another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.partial-", dir=path.parent) as private:
        partial = Path(private, path.name)
        partial.mkdir()  # with the permissions of new folders
        yield partial
        partial.replace(path)
