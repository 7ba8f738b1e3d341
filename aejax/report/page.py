"""One self-contained HTML page: a training run, or any sections made of the same pieces.

A section's body is HTML, made by `illustrations` and `link`, and by `definitions` and `table` of
`aejax.report.tables`, which escape all text that they are given. Figures are images within the
page;
nothing is ever fetched.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from aejax.plots import INK
from aejax.report.epoch_slider import epochs
from aejax.report.tables import cell, definitions, table_of_cells, text_of
from aejax.theory.checking.certificate import Certificate

_VERDICT_MARKS = {"holds": "✓", "fails": "✗"}


class Illustration(NamedTuple):
    """A figure with its words.

    figure:  as `aejax.plots` draws it, to be shown as SVG; or the bytes of a PNG file.
    title:   a heading of a few words.
    caption: what is to be seen, and how it was made.
    alt:     what the picture shows, for those who do not see it; never empty.
    """

    figure: Figure | bytes
    title: str
    caption: str
    alt: str


class Section(NamedTuple):
    """A part of a page: a title (text), and a body (HTML, from this file or `html_tables`)."""

    title: str
    body: str


def run_page(
    *,
    title: str,
    summary: Mapping[str, float | str],
    figures: Sequence[Illustration],
    configuration: Mapping[str, Any],
    environment: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    certificates: Sequence[Certificate] = (),
    commands: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A training run as one HTML page, from plain data.

    Args:
        title: of the page.
        summary: as `key_numbers`.
        figures: what to look at, in order.
        configuration: all that the run was told; nested mappings become dotted names.
        environment: versions, device, revision and whatever else the numbers depend on.
        history: `aejax.training.fit`'s records. Of a long one the table shows about
            twenty epochs evenly, the last, and the best of validation; a slider, every one.
        certificates: of theorems, as `aejax.theory.certificates` gives them.
        commands: what can be done with the run -> the command that does it.

    Returns:
        The page, a whole HTML document.

    Raises:
        ValueError: for an illustration without an alternative text.
    """
    note = "The control is the residual of a nearby false statement, put through the same code."
    parts: list[tuple[str, Callable[[Any], str], Any]] = [
        ("Figures", illustrations, figures),
        ("Certificates", lambda found: f"<p>{note}</p>\n{certificate_table(found)}", certificates),
        ("Training", epochs, history),
        ("Use", definitions, commands),
        ("Configuration", definitions, configuration),
        ("Environment", definitions, environment),
    ]
    sections = [Section(name, as_html(content)) for name, as_html, content in parts if content]
    return page(title, sections, lead=key_numbers(summary))


def page(title: str, sections: Sequence[Section], *, lead: str = "") -> str:
    """Sections as one self-contained HTML document, with their contents listed at its top.

    Args:
        title: of the page, text.
        sections: in order.
        lead: HTML between the title and the first section.

    Returns:
        The document. It follows the reader's choice of light or dark, scrolls wide tables in
        their own box, and prints.
    """
    links = "".join(f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = "".join(
        f'<section>\n<h2 id="s{i}">{escape(s.title)}</h2>\n{s.body}</section>\n'
        for i, s in enumerate(sections)
    )
    return _PAGE.substitute(title=escape(title), style=_STYLE, lead=lead, links=links, body=body)


def key_numbers(summary: Mapping[str, float | str]) -> str:
    """The few decisive numbers of a page, large, for its top.

    Args:
        summary: name -> number or text.

    Returns:
        HTML, all of it escaped.
    """
    pairs = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{text_of(value)}</dd></div>\n"
        for name, value in summary.items()
    )
    return f"<dl>\n{pairs}</dl>\n"


def link(text: str, address: str) -> str:
    """A paragraph that leads to another page.

    Args:
        text: what it says.
        address: where it leads, relative to this page.

    Returns:
        HTML, both escaped.
    """
    return f'<p><a href="{escape(address)}">{escape(text)}</a></p>\n'


def illustrations(figures: Sequence[Illustration]) -> str:
    """Figures with their titles and captions.

    Args:
        figures: in order.

    Returns:
        HTML, the pictures within it.

    Raises:
        ValueError: for one without an alternative text.
    """
    return "".join(_illustration(figure) for figure in figures)


def certificate_table(certificates: Sequence[Certificate]) -> str:
    """Statements with their verdicts, and how near each and its control came to zero.

    Args:
        certificates: of theorems.

    Returns:
        HTML: verdict, statement, residual, tolerance, and the control with its own verdict.
    """
    rows = []
    for certificate in certificates:
        text = {name: text_of(value) for name, value in certificate._asdict().items()}
        verdict = certificate.verdict
        rows.append(
            f'<td class="verdict {escape(verdict.split()[0])}">'
            f"{_VERDICT_MARKS.get(verdict, '–')} {text['verdict']}</td>"
            f'<td class="statement">{text["claim"]}<br><code>{text["formula"]}</code>'
            f"<p>{text['reason']}</p><p>{text['source']}</p></td>"
            f"{cell(certificate.residual)}{cell(certificate.tolerance)}"
            f'<td class="number">{certificate.control_verdict}<br>{text["control"]}</td>'
        )
    columns = {"verdict": False, "statement": False, "residual": True, "tolerance": True}
    return table_of_cells(columns | {"control": True}, rows)


def _illustration(illustration: Illustration) -> str:
    if not illustration.alt.strip():
        raise ValueError(f"the figure {illustration.title!r} needs an alternative text")
    return (
        f"<figure>\n<h3>{escape(illustration.title)}</h3>\n"
        f'<img src="data:image/{_image(illustration.figure)}" '
        f'alt="{escape(illustration.alt)}">\n'
        f"<figcaption>{escape(illustration.caption)}</figcaption>\n</figure>\n"
    )


def _image(figure: Figure | bytes) -> str:
    """What follows data:image/ of a figure, the same for the same figure."""
    if isinstance(figure, bytes):
        return f"png;base64,{base64.b64encode(figure).decode()}"
    return f"svg+xml;base64,{base64.b64encode(_svg(figure).encode()).decode()}"


def _svg(figure: Figure) -> str:
    """The figure as SVG whose ink follows the reader."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "aejax"}):
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            pad_inches=0.05,
            dpi=150,
            metadata=_NO_METADATA,
        )
    svg = buffer.getvalue().replace(INK, "var(--ink)")
    return svg.replace("</style>", _INK_STYLE + "</style>", 1)


_NO_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))

_INK_STYLE = Template(
    ":root{--ink:$ink}"
    "@media(prefers-color-scheme:dark){:root{--ink:#c9cdd2}}"
    "text,tspan{font-family:system-ui,sans-serif!important}"
).substitute(ink=INK)

_STYLE = files("aejax.report").joinpath("report.css").read_text(encoding="utf-8")

_PAGE = Template("""<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
$lead<nav aria-label="contents">$links</nav>
</header>
<main>
$body</main>
</body>
</html>
""")
