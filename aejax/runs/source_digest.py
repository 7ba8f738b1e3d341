"""Digest of the source code that determines the results of a study.

The digest ignores comments, formatting and docstrings; reverting a change restores it.
"""

import ast
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

PACKAGE = Path(__file__).parents[1]
"""Folder of aejax."""


def code_digest(
    files: Iterable[Path],
    ignored: Mapping[str, Collection[str]] = MappingProxyType({}),
    *,
    dump: Callable[[ast.AST], str] = ast.dump,
) -> str:
    """Compute the digest of the syntax trees of Python files, without docstrings.

    Args:
        files: Python files; their names do not affect the digest.
        ignored: function -> its keyword arguments that do not affect results, such as texts.
        dump: text of a syntax tree (default: that of this version of Python).

    Returns:
        SHA-256 in hexadecimal.

    Raises:
        SyntaxError: if a file is not Python.
    """
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(Path(file).read_bytes())
        for node in ast.walk(tree):
            _drop_texts(node, ignored)
        digest.update(dump(tree).encode() + b"\0")
    return digest.hexdigest()


def portable_dump(node: Any) -> str:
    """Text of a syntax tree that is the same in all versions of Python.

    Args:
        node: node, list of nodes, or value of a field.

    Returns:
        Names of the nodes and their fields, without those that are empty: each version adds some.
        Python 3.12 also adds empty parts of f-strings.
    """
    if isinstance(node, ast.JoinedStr):
        parts = [part for part in node.values if getattr(part, "value", None) != ""]
        return f"JoinedStr({portable_dump(parts)})"
    if isinstance(node, list):
        return f"[{','.join(map(portable_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    texts = ",".join(f"{name}={portable_dump(value)}" for name, value in fields)
    return f"{type(node).__name__}({texts})"


def python_files(folder: Path) -> list[Path]:
    """Python files of a folder and its subfolders, sorted by path."""
    return sorted(folder.rglob("*.py"))


@cache  # the imported code does not change during the process
def package_digest() -> str:
    """Digest of all code of aejax, because some of its imports are dynamic."""
    return code_digest(python_files(PACKAGE))


def _drop_texts(node: ast.AST, ignored: Mapping[str, Collection[str]]) -> None:
    match node:
        case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        case ast.Call(func=ast.Name(name) | ast.Attribute(attr=name)) if name in ignored:
            node.keywords = [each for each in node.keywords if each.arg not in ignored[name]]
