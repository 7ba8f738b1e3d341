"""Statements and proofs of docs/theory as HTML, for the report of `aejax verify`.

Command: python -m docs.write_statements (`make statements`)
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from docs.mathml import formula

DOCS = Path(__file__).parent
FILE = DOCS.parent / "aejax" / "report" / "theorem_statements.json"

LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
"""Link to another page, which a report cannot contain."""

PARTS = re.compile(
    r"^## `(\w+)`\n.*?\*\*Statement\.\*\*(.*?)\*\*Proof\.\*\*(.*?)(?=^\*\*)",
    re.DOTALL | re.MULTILINE,
)
NOTATION = re.compile(r"^## Notation\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def statements() -> str:
    """Contents of the file: name of each theorem, and "notation", -> HTML by part."""
    (notation,) = NOTATION.findall((DOCS / "theory.md").read_text(encoding="utf-8"))
    found = {"notation": {"notation": _html(notation)}} | dict(_theorems())
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _theorems() -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted((DOCS / "theory").glob("[0-9]*.md")):
        for name, statement, proof in PARTS.findall(path.read_text(encoding="utf-8")):
            yield name, {"statement": _html(statement), "proof": _html(proof)}


def _html(markdown: str) -> str:
    return _PARSER.render(LINK.sub(r"\1", markdown.strip())).strip()


def _fence(_: Any, tokens: Any, index: int, *__: Any) -> str:
    assert tokens[index].info == "math"
    return f'<div class="formula">{formula(tokens[index].content, display=True)}</div>\n'


_PARSER = MarkdownIt().use(
    dollarmath_plugin,
    renderer=lambda latex, options: formula(latex, display=options["display_mode"]),
)
_PARSER.add_render_rule("fence", _fence)


if __name__ == "__main__":
    FILE.write_text(statements(), encoding="utf-8")
