"""Digest of the source code that determines an experiment's results.

The digest covers the experiment's file, the harness and all of aejax, because some imports are
dynamic. It ignores comments, formatting, docstrings and the texts of experiment records; reverting
a change restores the digest.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

import aejax

PACKAGES = (Path(aejax.__file__).parent, Path(__file__).parent)
"""Folders with the modules that every digest covers."""

TEXTS = ("title", "claim", "source", "expected", "run_time", "figure")
"""Arguments of `Experiment` that do not affect results."""


def sources_digest(experiment_file: Path) -> str:
    """Compute the digest of an experiment's code, as it is on disk.

    Args:
        experiment_file: Python file of the experiment.

    Returns:
        SHA-256 in hexadecimal.
    """
    own = code_digest([experiment_file])
    return hashlib.sha256((own + _packages_digest()).encode()).hexdigest()


def code_digest(files: list[Path]) -> str:
    """Compute the digest of the syntax trees of Python files, without docstrings and record texts.

    Args:
        files: Python files; their names do not affect the digest.

    Returns:
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_bytes())
        for node in ast.walk(tree):
            _drop_texts(node)
        digest.update(ast.dump(tree).encode() + b"\0")
    return digest.hexdigest()


@cache  # the imported code does not change during the process
def _packages_digest() -> str:
    return code_digest([file for folder in PACKAGES for file in sorted(folder.rglob("*.py"))])


def _drop_texts(node: ast.AST) -> None:
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        case ast.Call(func=ast.Name("Experiment") | ast.Attribute(attr="Experiment")):
            node.keywords = [each for each in node.keywords if each.arg not in TEXTS]
