"""Formulas of the documentation are MathML: complete, and without a network."""

import re
import unicodedata
from xml.etree import ElementTree

import pytest

from aejax.theory.theorems import THEOREMS
from docs.mathml import formula
from docs.write_statements import FILE, statements
from tests.docs.test_pages import PAGES

CODE = re.compile(r"^```(?!math).*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
MATH = re.compile(r"^```math\n(.*?)^```|\$([^$]+?)\$", re.DOTALL | re.MULTILINE)


FORMULAS = {
    name: [block or inline for block, inline in MATH.findall(CODE.sub("", text))]
    for name, text in PAGES.items()
}


@pytest.mark.parametrize("page", [name for name, found in FORMULAS.items() if found])
def test_every_formula_of_a_page_converts(page):
    for latex in FORMULAS[page]:
        math = ElementTree.fromstring(formula(latex, display=False))
        symbols = unicodedata.normalize("NFKC", "".join(math.itertext()))  # 𝔼 is E
        assert "\\" not in symbols, latex
        letters = re.findall(r"(?<![\\a-zA-Z])[A-Za-z](?![a-zA-Z])", latex)
        assert set(letters) <= set(symbols), latex


def test_structure_of_a_formula():
    math = ElementTree.fromstring(formula(r"\frac{a < b}{\sqrt{\lambda_i^2}}", display=True))
    assert math.get("display") == "block"
    tags = [each.tag for each in math.iter() if each.tag != "mrow"]
    assert tags[1:] == ["mfrac", "mi", "mo", "mi", "msqrt", "msubsup", "mi", "mi", "mn"]
    assert [each.text for each in math.iter() if each.text] == ["a", "<", "b", "λ", "i", "2"]


def test_committed_statements_are_what_the_command_writes():
    """After a change of docs/theory: `make statements`."""
    assert FILE.read_text(encoding="utf-8") == statements()


def test_every_theorem_has_a_statement():
    from aejax.report.theorem_report import STATEMENTS

    assert STATEMENTS.keys() == {"notation", *THEOREMS}
    for name in THEOREMS:
        for part in ("statement", "proof"):
            html = STATEMENTS[name][part]
            ElementTree.fromstring(f"<div>{html}</div>")
            assert not re.search(r"\$|<a |http", html)


def test_formulas_use_only_what_browsers_support():
    """MathML Core has no named widths, and of the variants of letters only `normal`."""
    html = FILE.read_text(encoding="utf-8")
    assert "𝔼" in html
    assert set(re.findall(r'mathvariant=\\"(.*?)\\"', html)) == {"normal"}
    assert all(re.fullmatch(r"[\d.]+em", width) for width in re.findall(r'width=\\"(.*?)\\"', html))
