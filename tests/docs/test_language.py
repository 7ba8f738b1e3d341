"""Lint of the language: private vocabulary, and module docstrings that are indirect questions."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path
    for folder in ("aejax", "experiments", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
]
GENERATED = ("_build", "api", "repository")  # by `make docs`
DOCUMENTS = [
    path
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    if path.relative_to(ROOT).parts[1:2] not in [(name,) for name in GENERATED]
]

VOCABULARY = {
    r"\brooms?\b|\bof the house\b": "package, module",
    r"\bfalling (eigenvalues|order|singular|variances?)\b|\bin (falling|rising) order\b": (
        "descending, ascending"
    ),
    r"\bto the (last )?bit\b": "bit-identical, bitwise",
    r"\bgo(es)? on (with|from|as|where|to)\b|\bgone on with\b": "resumes, continues",
    r"\bon[ -]line\b": "online",
    r"\bfew(er)? bits\b": "low precision",
    r"\bmatrix units\b": "tensor cores, AMX",
    r"\b(laid|lays?) out anew\b|\bmoved anew\b": "copied to a contiguous layout, resampled",
    r"\bwhole training\b": "end-to-end training as one scan",
    r"\bunless given\b": "(default: …)",
    r"\brehears(e|ed|es|al)\b": "check eagerly",
    r"\bwords of the\b|\bsteps? says\b": "shared types; communication per step",
    r"\bthirty numbers\b": "30-dimensional",
    r"\b(by|of) chance\b": "at random, random",
    r"\bturned (matri|kernel|operand)": "transposed",
    r"\bpictures?\b": "figure, image",
    r"\bthat which\b|\bso that none\b|\bto be had\b|\bfrom nothing\b|\bthe house\b": (
        "an ordinary clause"
    ),
    r"\bsays? so\b|\b(is|are) told\b|\bspeaks? of\b|\bspoken of\b": "states, reports",
    r"\bstands? (in|on|beside|at)\b(?! for)": "is in",
    r"\b(held|holds?) (against|to the)\b": "compared with",
    r"\banew\b|\bfor ever\b|\bcarr(y|ies|ied) on\b|\bgives? way\b": (
        "again, resampled; indefinitely; continue; is overridden"
    ),
    r"\bbut for\b": "except for",
    r"\bon a processor\b": "on a CPU",
}
QUESTION = re.compile(
    r"^(What|How|Which|Who|Whose|Whom|Where|When|Whether|Why|Whence|(On|In|Of|At|By|From|To|With) "
    r"(what|which|whom))\b",
    re.IGNORECASE,
)
OPENING = re.compile(r"(What|How|Which|Who|Whose|Whom|Where|Why|Of|That)\b")  # of a docstring
ENTRY = re.compile(  # of Args or of a record, if it continues the name: "key: of the noise"
    r"^ +\*{0,2}\w+(?:, \*{0,2}\w+)*: +(?:of|that|whose|which|what|where|how|when|who|until)\b.*",
    re.MULTILINE,
)


def texts(source: str) -> list[tuple[int, str]]:
    """Line and text of each comment and string of a Python source."""
    fstring = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)  # from Python 3.12 on
    kinds = (tokenize.COMMENT, tokenize.STRING, fstring)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start[0], token.string) for token in tokens if token.type in kinds]


def relapses(line: int, text: str) -> list[str]:
    """Each use of private vocabulary in a text, with its line and the standard term."""
    text = " ".join(text.split())
    return [
        f"line {line}: {match[0]!r} (say: {standard})"
        for pattern, standard in VOCABULARY.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


def is_question(source: str) -> bool:
    """Whether the module docstring of a Python source begins as an indirect question."""
    return bool(QUESTION.match(ast.get_docstring(ast.parse(source)) or ""))


def incomplete(source: str) -> list[str]:
    """Docstrings that begin as a fragment, and entries that continue the name of an argument."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=False) or ""
            found += [text.partition("\n")[0]] if OPENING.match(text) else []
            found += [entry[0].strip() for entry in ENTRY.finditer(text)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_comments_docstrings_and_messages_use_standard_terms(path):
    source = path.read_text(encoding="utf-8")
    assert [found for line, text in texts(source) for found in relapses(line, text)] == []
    assert not is_question(source)
    assert incomplete(source) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_standard_terms(path):
    text = re.sub(
        r"```.*?```|`[^`]*`|\]\([^)]*\)", "", path.read_text(encoding="utf-8"), flags=re.S
    )
    assert [
        found
        for paragraph in text.split("\n\n")
        for found in relapses(text[: text.index(paragraph)].count("\n") + 1, paragraph)
    ] == []


def test_a_relapse_is_found():
    source = '"""What falls."""\n\nx = 1  # in falling order\ny = f"{x} goes on with it"\n'
    assert is_question(source)
    found = [found for line, text in texts(source) for found in relapses(line, text)]
    assert [text.partition(" (")[0] for text in found] == [
        "line 3: 'in falling order'",
        "line 4: 'goes on with'",
    ]


def test_an_incomplete_docstring_or_entry_is_found():
    source = '''
def f(key, epoch):
    """What f returns.

    Args:
        key: of the noise.
        epoch: index of the epoch.
    """
'''
    assert incomplete(source) == ["What f returns.", "key: of the noise."]
