"""Every citation of a docstring has its entry in docs/references.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = re.findall(
    r"^### (.+)$", (ROOT / "docs" / "references.md").read_text(encoding="utf-8"), flags=re.MULTILINE
)
YEAR = re.compile(r"\b(?:19|20)\d\d[ab]?\b")
FILES = [
    path
    for folder in ("aejax", "experiments", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def sources_of(path: Path) -> list[str]:
    """Texts of the `Source:` entries of a file's docstrings, each on one line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            found += re.findall(r"^Source: (.*?)(?=\n\n|\n\w+:|\Z)", text, flags=re.M | re.S)
    return [" ".join(text.split()) for text in found]


def uncited(source: str) -> list[str]:
    """Ends of the citations in a `Source:` entry that have no key in the bibliography."""
    return [
        source[: match.end()]
        for match in YEAR.finditer(source)
        if not any(source[: match.end()].endswith(key) for key in KEYS)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_citation_has_an_entry(path):
    for source in sources_of(path):
        assert uncited(source) == []


def test_an_unknown_citation_is_noticed():
    assert uncited("Nobody & Noone 1999, §3.") == ["Nobody & Noone 1999"]


def test_every_entry_is_cited():
    sources = " ".join(source for path in FILES for source in sources_of(path))
    documents = " ".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "docs").rglob("*.md")
        if path.name != "references.md"
    )
    assert [key for key in KEYS if key not in sources + documents] == []


def test_entries_stand_in_alphabetical_order():
    papers = [key for key in KEYS if YEAR.search(key)]
    assert papers == sorted(papers, key=lambda key: re.sub(r"'| &", "", key).casefold())
