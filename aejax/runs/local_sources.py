"""Python files of the user that a file imports, found without running them."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

INSTALLED = "site-packages", "dist-packages"
"""Folders whose files import each other as installed packages do."""


def local_sources(file: Path, folders: Sequence[Path] = ()) -> list[Path]:
    """List a Python file and those that it imports, directly or not, from its folder or package.

    Args:
        file: Python file.
        folders: other folders whose modules the files import.

    Returns:
        The files in the order of the imports, the first one first.
    """
    found = [file]
    for each in found:  # which grows
        imported = _imported_files(each, folders)
        found += dict.fromkeys(path for path in imported if path not in found)
    return found


def package_root(file: Path) -> Path:
    """Folder from which the package of a file is imported."""
    root = file.parent
    while (root / "__init__.py").exists():
        root = root.parent
    return root


def _imported_files(file: Path, others: Sequence[Path]) -> Iterator[Path]:
    """Files that a file imports from its folder, from its package, or from other folders."""
    root = package_root(file)
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Import(names):
                modules = [alias.name.split(".") for alias in names]
                folders = [root, file.parent, *others]
            case ast.ImportFrom(module, names, level):
                path = [] if module is None else module.split(".")
                modules = [path, *([*path, alias.name] for alias in names)]
                folders = [file.parents[level - 1]] if level else [root, file.parent, *others]
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
