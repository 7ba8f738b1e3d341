"""Folders that appear complete or not at all: a temporary folder is renamed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise FileExistsError(f"{path} exists: choose another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.partial-", dir=path.parent) as private:
        partial = Path(private, path.name)
        partial.mkdir()  # with the permissions of new folders
        yield partial
        partial.replace(path)
