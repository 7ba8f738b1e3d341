"""Formulas as MathML, which browsers show without JavaScript, fonts or a network.

As a Sphinx extension, it replaces MathJax, which pages load from a server.
"""

import re
from html import escape, unescape
from typing import Any

from latex2mathml.converter import convert


def formula(latex: str, *, display: bool) -> str:
    """Convert a formula.

    Args:
        latex: formula in LaTeX, without delimiters.
        display: whether it stands on a line of its own.

    Returns:
        A `math` element.
    """
    latex = re.sub(r"\\(mathbb|mathcal) ([A-Z])", r"\\\1{\2}", latex.strip())
    latex = latex.replace(r"\thinspace", r"\,")  # browsers know widths in em, not by name
    text = convert(latex, display="block" if display else "inline")
    text = text.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1)  # HTML needs none
    text = text.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')  # norms
    return re.sub(r"&#x?\w+;", lambda entity: escape(unescape(entity[0])), text)


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer as `html_math_renderer = "mathml"` of Sphinx."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _visit_inline(translator: Any, node: Any) -> None:
    _append(translator, formula(node.astext(), display=False))


def _visit_block(translator: Any, node: Any) -> None:
    _append(translator, f'<div class="formula">{formula(node.astext(), display=True)}</div>\n')


def _append(translator: Any, html: str) -> None:
    from docutils.nodes import SkipNode  # a dependency of Sphinx

    translator.body.append(html)
    raise SkipNode
