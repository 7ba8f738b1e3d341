"""Source of a factory: its file and those of the user that it imports, and whether they changed.

A run records the digest of this source. An opened run warns of a change, because its parameters may
belong to other code; a resumed run refuses it, because half of the training would.
"""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from aejax.runs.factories import factory_file
from aejax.runs.source_digest import code_digest, portable_dump

INSTALLED = "site-packages", "dist-packages"
"""Folders whose files import each other as installed packages do."""


class ChangedSourceWarning(UserWarning):
    """The code that makes the objective of a run is no longer that of its training."""


def factory_digest(factory: str | None) -> str | None:
    """Digest of the source of a factory, without comments and docstrings.

    Args:
        factory: "module:function" or "file.py:function", or None.

    Returns:
        SHA-256 in hexadecimal; None without a factory, or if it has no Python file.
    """
    file = None if factory is None else factory_file(factory)
    return None if file is None else code_digest(local_sources(file), dump=portable_dump)


def local_sources(file: Path) -> list[Path]:
    """List a Python file and those that it imports, directly or not, from its folder or package.

    Args:
        file: Python file.

    Returns:
        The files in the order of the imports, the first one first.
    """
    found = [file]
    for each in found:  # which grows
        found += dict.fromkeys(path for path in _imported_files(each) if path not in found)
    return found


def warn_of_changed_source(run: Path, factory: str | None, recorded: str | None) -> None:
    """Warn if the source of a factory is not that of a run.

    Args:
        run: folder of the run.
        factory: factory of the run, or None.
        recorded: digest of its source in the run; None if it is not known.
    """
    if _is_changed(factory, recorded):
        warnings.warn(
            f"{factory} has changed since {run} was trained: the results may not be those of the "
            "run",
            ChangedSourceWarning,
            stacklevel=3,
        )


def check_source(run: Path, factory: str | None, recorded: str | None, *, digests: Path) -> None:
    """Refuse to resume a run if the source of its factory has changed.

    Args:
        run: folder of the run.
        factory: factory of the run, or None.
        recorded: digest of its source in the run; None if it is not known.
        digests: file with the digests of the run; if it is missing, nothing is refused.

    Raises:
        ValueError: if the source has changed.
    """
    if digests.exists() and _is_changed(factory, recorded):
        raise ValueError(
            f"{factory} has changed since {run} was started: restore it, or train another run; if "
            f"the change does not affect the training, delete {digests}: the folder is then read "
            "unchecked"
        )


def _is_changed(factory: str | None, recorded: str | None) -> bool:
    is_known = factory is not None and recorded is not None
    return is_known and factory_digest(factory) != recorded


def _imported_files(file: Path) -> Iterator[Path]:
    """Files that a file imports from its folder or from its package."""
    root = file.parent
    while (root / "__init__.py").exists():
        root = root.parent
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Import(names):
                modules = [alias.name.split(".") for alias in names]
                folders = [root, file.parent]
            case ast.ImportFrom(module, names, level):
                path = [] if module is None else module.split(".")
                modules = [path, *([*path, alias.name] for alias in names)]
                folders = [file.parents[level - 1]] if level else [root, file.parent]
            case _:
                continue
        for folder in dict.fromkeys(folders):
            for parts in modules:
                yield from _files_of(folder, parts, package=file.relative_to(root).parts[0])


def _files_of(folder: Path, parts: list[str], *, package: str) -> Iterator[Path]:
    """Files of a module below a folder, if it is there; of an installed package, its own only."""
    if not parts or (folder.name in INSTALLED and parts[0] != package):
        return
    path = folder.joinpath(*parts)
    for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if candidate.is_file():
            yield candidate
