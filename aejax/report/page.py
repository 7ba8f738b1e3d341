"""Self-contained HTML pages: the report of a training run, and pages of arbitrary sections.

The body of a section is HTML from `render_figures`, `link`, and `definitions` and `table` of
`aejax.report.tables`; these functions escape all text. Figures are embedded; nothing is fetched.
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

from aejax.plots import INK, PAPER
from aejax.report.epoch_slider import epochs
from aejax.report.tables import cell, definitions, table, table_of_cells, text_of
from aejax.theory.checking.certificate import Certificate, Verdict

_VERDICT_MARKS = {"holds": "✓", "fails": "✗"}


class CaptionedFigure(NamedTuple):
    """A figure with its title, caption and alternative text.

    figure:  a matplotlib figure, embedded as SVG, or the bytes of a PNG file.
    title:   a short heading.
    caption: content of the figure and its method.
    alt:     non-empty alternative text for screen readers.
    """

    figure: Figure | bytes
    title: str
    caption: str
    alt: str


class Section(NamedTuple):
    """A section of a page: a title (text) and a body (HTML of this module or `report.tables`)."""

    title: str
    body: str


def run_page(
    *,
    title: str,
    summary: Mapping[str, float | str],
    figures: Sequence[CaptionedFigure],
    configuration: Mapping[str, Any],
    environment: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    certificates: Sequence[Certificate] = (),
    commands: Mapping[str, str] = MappingProxyType({}),
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
    sections: Sequence[Section] = (),
) -> str:
    """Render a training run as one HTML page.

    Args:
        title: title of the page.
        summary: metrics for the top of the page, as for `key_numbers`.
        figures: figures in the order of display.
        configuration: settings of the run; nested mappings become dotted names.
        environment: versions, device, revision and everything else that affects the results.
        history: records of `aejax.training.fit`. The table of a long history shows about twenty
            equally spaced epochs, the last epoch and the best validation epoch; a slider shows
            every epoch.
        certificates: certificates of theorems, from `aejax.theory.certificates`.
        commands: purpose -> command line, for further use of the run.
        tables: title -> records of a section with one table, after the figures.
        sections: further sections, before the figures.

    Returns:
        A complete HTML document.

    Raises:
        ValueError: if a figure has no alternative text.
    """
    note = "The control is the residual that the same code computes for a similar false statement."
    parts: list[tuple[str, Callable[[Any], str], Any]] = [
        ("Figures", render_figures, figures),
        *((name, table, records) for name, records in tables.items()),
        ("Certificates", lambda found: f"<p>{note}</p>\n{certificate_table(found)}", certificates),
        ("Training", epochs, history),
        ("Use", definitions, commands),
        ("Configuration", definitions, configuration),
        ("Environment", definitions, environment),
    ]
    rendered = [Section(name, as_html(content)) for name, as_html, content in parts if content]
    return page(title, [*sections, *rendered], lead=key_numbers(summary))


def page(title: str, sections: Sequence[Section], *, lead: str = "") -> str:
    """Render sections as one self-contained HTML document with a table of contents.

    Args:
        title: title of the page (text).
        sections: sections in the order of display.
        lead: HTML between the title and the first section.

    Returns:
        A complete HTML document. It supports light and dark mode and printing, and
        scrolls wide tables horizontally.
    """
    links = "".join(f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    body = "".join(
        f'<section>\n<h2 id="s{i}">{escape(s.title)}</h2>\n{s.body}</section>\n'
        for i, s in enumerate(sections)
    )
    return _PAGE.substitute(title=escape(title), style=_STYLE, lead=lead, links=links, body=body)


def key_numbers(summary: Mapping[str, float | str]) -> str:
    """Render the main metrics of a page in large type.

    Args:
        summary: name -> number or text.

    Returns:
        HTML with escaped text.
    """
    pairs = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{text_of(value)}</dd></div>\n"
        for name, value in summary.items()
    )
    return f"<dl>\n{pairs}</dl>\n"


def link(text: str, address: str) -> str:
    """Render a paragraph with a link.

    Args:
        text: text of the link.
        address: target, relative to this page.

    Returns:
        HTML with escaped text and address.
    """
    return f'<p><a href="{escape(address)}">{escape(text)}</a></p>\n'


def render_figures(figures: Sequence[CaptionedFigure]) -> str:
    """Render figures with their titles and captions.

    Args:
        figures: figures in the order of display.

    Returns:
        HTML with the embedded images.

    Raises:
        ValueError: if a figure has no alternative text.
    """
    return "".join(_render_figure(figure) for figure in figures)


def certificate_table(certificates: Sequence[Certificate]) -> str:
    """Render certificates of theorems as a table.

    Args:
        certificates: certificates, one per row.

    Returns:
        HTML with the columns verdict, statement, residual, tolerance, and control with its verdict.
    """
    rows = []
    for certificate in certificates:
        text = {name: text_of(value) for name, value in certificate._asdict().items()}
        rows.append(
            f"{verdict_cell(certificate.verdict)}"
            f'<td class="statement">{text["claim"]}<br><code>{text["formula"]}</code>'
            f"<p>{text['reason']}</p><p>{text['source']}</p></td>"
            f"{cell(certificate.residual)}{cell(certificate.tolerance)}"
            f'<td class="number">{certificate.control_verdict}<br>{text["control"]}</td>'
        )
    columns = {"verdict": False, "statement": False, "residual": True, "tolerance": True}
    return table_of_cells(columns | {"control": True}, rows)


def verdict_cell(verdict: Verdict) -> str:
    """Render a verdict as a table cell, with a mark that does not depend on colours.

    Args:
        verdict: verdict of a certificate or of a theorem.

    Returns:
        HTML.
    """
    mark = _VERDICT_MARKS.get(verdict, "–")
    return f'<td class="verdict {escape(verdict.split()[0])}">{mark} {escape(verdict)}</td>'


def _render_figure(shown: CaptionedFigure) -> str:
    if not shown.alt.strip():
        raise ValueError(f"the figure {shown.title!r} needs an alternative text")
    name = escape(f"enlarge: {shown.title}")
    return (
        f"<figure>\n<h3>{escape(shown.title)}</h3>\n"
        f'<label class="enlarge"><input type="checkbox" aria-label="{name}">'
        f'<img src="data:image/{_image_data(shown.figure)}" alt="{escape(shown.alt)}"></label>\n'
        f"<figcaption>{escape(shown.caption)}</figcaption>\n</figure>\n"
    )


def _image_data(figure: Figure | bytes) -> str:
    """Deterministic base64 data of a figure, for a URL that starts with `data:image/`."""
    if isinstance(figure, bytes):
        return f"png;base64,{base64.b64encode(figure).decode()}"
    return f"svg+xml;base64,{base64.b64encode(_svg(figure).encode()).decode()}"


def _svg(figure: Figure) -> str:
    """Render the figure as SVG whose ink and paper colours follow light or dark mode."""
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
    svg = buffer.getvalue().replace(INK, "var(--ink)").replace(PAPER, "var(--paper,#fff)")
    return svg.replace("</style>", _INK_STYLE + "</style>", 1)


_NO_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))

_INK_STYLE = Template(
    ":root{--ink:$ink}"
    "@media(prefers-color-scheme:dark){:root{--ink:#c9cdd2;--paper:#1b1f23}}"
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
