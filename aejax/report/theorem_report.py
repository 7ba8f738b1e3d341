"""HTML report of the theorems, each with figures computed from the user's data."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any

from aejax import plots, report
from aejax.report import tables
from aejax.report.page import CaptionedFigure, Section, verdict_cell
from aejax.report.theorem_figures import (
    coding_figures,
    gain_figures,
    learning_figures,
    optimum_figures,
    variational_figures,
)
from aejax.theory import Certificate, Problem
from aejax.theory.checking.certificate import CONTROL_MARGIN
from aejax.theory.checking.verdict_summary import (
    counts_of_verdicts,
    theorem_verdict,
    worst_ratio,
)
from aejax.theory.theorems import TABLE, TheoremRow

Found = Mapping[str, Sequence[Certificate]]
"""Name of a theorem -> its certificates."""

FIGURES = {
    name: function
    for module in (
        optimum_figures,
        gain_figures,
        learning_figures,
        variational_figures,
        coding_figures,
    )
    for name, function in vars(module).items()
    if getattr(function, "__module__", None) == module.__name__ and not name.startswith("_")
}
"""Name, as in the table of theorems -> figure function."""

STATEMENTS: Mapping[str, Mapping[str, str]] = json.loads(
    files("aejax.report").joinpath("theorem_statements.json").read_text(encoding="utf-8")
)
"""Name of a theorem -> HTML of its statement and proof; "notation" -> that of the notation."""


def theorems_page(
    problem: Problem, found: Found, *, data: str, environment: Mapping[str, Any]
) -> str:
    """Render certificates and figures of theorems, in the order of docs/theory.

    Args:
        problem: data, code size and key.
        found: theorem -> its certificates on that problem.
        data: display name of the data.
        environment: versions, device and everything else that affects the results.

    Returns:
        A complete, self-contained HTML document. Each figure that cannot be drawn is replaced by
        the reason.
    """
    shown = [row for row in TABLE if row.name in found]
    sections = [
        Section(title, "".join(_theorem(problem, row, found[row.name]) for row in rows))
        for title, rows in groupby(shown, key=lambda row: row.section)
    ]
    glance = Section("At a glance", _glance(found, [section.title for section in sections]))
    environments = Section("Environment", tables.definitions(environment))
    return report.page(
        f"Theorems on {data}, code of {problem.code}",
        [glance, *sections, environments],
        lead=report.key_numbers(summary(problem, found)),
    )


def summary(problem: Problem, found: Found) -> dict[str, float | str]:
    """Count examples and features, and certificates and controls per verdict."""
    certificates = [certificate for each in found.values() for certificate in each]
    verdicts = Counter(certificate.verdict for certificate in certificates)
    controls = Counter(certificate.control_verdict for certificate in certificates)
    judged = controls["rejected"] + controls["not rejected"]
    examples, features = problem.x.shape
    return {
        "examples": examples,
        "features": features,
        **({"unit of x": f"2^{problem.exponent}"} if problem.exponent else {}),
        **{verdict: verdicts[verdict] for verdict in ("holds", "fails")},
        **{verdict: count for verdict, count in verdicts.items() if verdict.startswith("not")},
        "controls rejected": f"{controls['rejected']} of {judged}",
    }


TERMS = {
    "residual": "distance between the data and the formula of the theorem; zero, except for "
    "rounding, if the theorem is true.",
    "tolerance": "largest residual that rounding explains, derived from the data. The reason in "
    "each certificate gives the quantities that it depends on.",
    "control": "residual of a similar but false statement, computed by the same code. It must "
    f"exceed {CONTROL_MARGIN:.0f} tolerances: otherwise the check could not tell true from false.",
    "verdict": "holds: the residual is within its tolerance and the control is far above it; "
    "fails: the residual exceeds the tolerance; not identifiable: the data cannot decide the "
    "statement, for example because eigenvalues are equal; not applicable: an assumption of the "
    "theorem is not met. A theorem has the most serious verdict of its certificates.",
}
"""Explanations of the terms of a certificate."""


def _glance(found: Found, titles: Sequence[str]) -> str:
    """Figure of all certificates, explanation of the terms, and the table of theorems."""
    rows = [
        f'<td><a href="#{row.name}"><code>{row.name}</code></a></td>'
        f"{verdict_cell(theorem_verdict(found[row.name]))}"
        f"<td>{escape(counts_of_verdicts(found[row.name]))}</td>"
        f"{tables.cell(worst_ratio(found[row.name]))}"
        f'<td><a href="#s{1 + titles.index(row.section)}">{escape(row.section)}</a></td>'
        for row in TABLE
        if row.name in found
    ]
    columns = {"theorem": False, "verdict": False, "certificates": False}
    table = tables.table_of_cells(columns | {"residual / tolerance": True, "section": False}, rows)
    figure = report.render_figures([_certificates_figure(found)])
    return figure + tables.definitions(TERMS) + table + _NOTATION


def _certificates_figure(found: Found) -> CaptionedFigure:
    numbers = {
        f"{name} {place}": optimum_figures.numbers(certificate)
        for name, certificates in found.items()
        for place, certificate in enumerate(certificates, 1)
    }
    return CaptionedFigure(
        plots.certificates(numbers),
        "Residual, tolerance and control",
        "A statement holds if its residual (dot) is below its tolerance (bar) and its control, the "
        "residual of a similar false statement (cross), is at least three decades above it.",
        "One row per certificate on a logarithmic axis from 1e-18 to 10.",
    )


def _theorem(problem: Problem, row: TheoremRow, certificates: Sequence[Certificate]) -> str:
    figures = "".join(_figure(problem, certificates, *each) for each in row.figures.items())
    heading = f'<h3 id="{escape(row.name)}"><code>{escape(row.name)}</code></h3>\n'
    return heading + _statement(row.name) + figures + report.certificate_table(certificates)


_NOTATION = (
    '<div class="theorem">\n<details><summary>Notation of the statements</summary>\n'
    f"{STATEMENTS['notation']['notation']}\n</details>\n</div>\n"
)


def _statement(theorem: str) -> str:
    """Statement of a theorem, and its proof behind a button."""
    text = STATEMENTS[theorem]
    return (
        f'<div class="theorem">\n<p><strong>Statement.</strong></p>\n{text["statement"]}\n'
        f"<details><summary>Proof</summary>\n{text['proof']}\n</details>\n</div>\n"
    )


def _figure(
    problem: Problem, certificates: Sequence[Certificate], name: str, indices: Sequence[int]
) -> str:
    if any(certificates[index].residual is not None for index in indices):
        return report.render_figures([FIGURES[name](problem, certificates)])
    reason = escape(certificates[indices[0]].reason)
    return f"<p>No figure; the data cannot show it: {reason}.</p>\n"
