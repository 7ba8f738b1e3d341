"""Helpers for tests of documents: tests and functions that a text names."""

import ast
import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read(name: str) -> str:
    """Read a document of the folder docs."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def theory_sections() -> list[str]:
    """The sections of the theory, each a document of docs/theory, in order."""
    return [
        read(f"theory/{path.name}") for path in sorted((ROOT / "docs/theory").glob("[0-9]*.md"))
    ]


def named_tests(text: str) -> list[tuple[str, str]]:
    """All references `file::test` in a text."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


def names_of_tests(file: str) -> set[str]:
    """Names of the test functions of a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def resolve(name: str) -> object:
    """Resolve a dotted name to a module or an attribute of a module."""
    *modules, last = name.split(".")
    try:
        return getattr(importlib.import_module(".".join(modules)), last)
    except AttributeError:
        return importlib.import_module(name)
