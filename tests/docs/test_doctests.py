"""Examples in docstrings run and print what they claim."""

import ast
import contextlib
import doctest
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MIN_EXAMPLES = 45
"""Number of public functions and classes that must have an example."""

MODULES = [
    path
    for path in sorted((ROOT / "aejax").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


def examples(path: Path) -> Iterator[doctest.DocTest]:
    """Each docstring with an example in a source file.

    Read from the source, because `doctest` skips decorated functions. The namespace is empty, so
    that an example can be copied: it imports what it uses.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        docstring = ast.get_docstring(node) if isinstance(node, documented) else None
        if docstring and ">>>" in docstring:
            name, line = getattr(node, "name", path.stem), getattr(node, "lineno", 1)
            yield doctest.DocTestParser().get_doctest(docstring, {}, name, str(path), line)


def failures(example: doctest.DocTest) -> str:
    """Report of `doctest` about an example; empty if it passes."""
    report = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        doctest.DocTestRunner(verbose=False, optionflags=OPTIONS).run(example, out=report.write)
    return report.getvalue()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_print_what_they_claim(path):
    assert "".join(map(failures, examples(path))) == ""


def test_public_functions_have_examples():
    names = [example.name for path in MODULES for example in examples(path)]
    assert len([name for name in names if not name.startswith("_")]) >= MIN_EXAMPLES


def test_a_wrong_example_is_reported(tmp_path):
    source = '@decorated\ndef f():\n    """Add.\n\n    >>> 1 + 1\n    3\n    """\n'
    path = tmp_path / "wrong.py"
    path.write_text(source)
    (example,) = examples(path)
    assert "Expected:\n    3\nGot:\n    2" in failures(example)
