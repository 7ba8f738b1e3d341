"""Which code a result was computed by: a digest of the sources that decide it.

These are the experiment's own file, the harness, and all of aejax: an experiment imports most of
it, some of it by name and late, so that no smaller set is safe. Comments, docstrings and layout do
not count; any other change makes another digest, and changing it back the former one.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

import aejax

PACKAGES = (Path(aejax.__file__).parent, Path(__file__).parent)
"""Folders whose modules count for every experiment."""


def sources_digest(experiment: ModuleType) -> str:
    """Digest of the code by which an experiment is computed, as it is on disk.

    Args:
        experiment: the module.

    Returns:
        The SHA-256 in hexadecimal.
    """
    own = code_digest([Path(str(experiment.__file__))])
    return hashlib.sha256((own + _packages_digest()).encode()).hexdigest()


def code_digest(files: list[Path]) -> str:
    """Digest of what Python files do: their syntax trees, in order, without docstrings.

    Args:
        files: Python files; their names do not count.

    Returns:
        The SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            _drop_docstring(node)
        digest.update(ast.dump(tree).encode() + b"\0")
    return digest.hexdigest()


@cache  # what has been imported stays what it was when the process began
def _packages_digest() -> str:
    return code_digest([file for folder in PACKAGES for file in sorted(folder.rglob("*.py"))])


def _drop_docstring(node: ast.AST) -> None:
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
