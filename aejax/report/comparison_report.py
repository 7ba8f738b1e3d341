"""HTML page of a comparison of runs: curves, figures and settings."""

from collections.abc import Sequence

from aejax import plots
from aejax.report.page import CaptionedFigure, Section, page, render_figures
from aejax.report.tables import definitions, table
from aejax.runs.comparing import RunComparison
from aejax.runs.listing import RunSummary


def comparison_page(runs: Sequence[RunSummary], comparison: RunComparison) -> str:
    """Render a comparison of runs as one self-contained HTML page.

    Args:
        runs: the runs.
        comparison: their comparison, from `compare_runs`.

    Returns:
        A complete HTML document.
    """
    figures = [
        figure
        for objective in dict.fromkeys(comparison.objectives)
        for figure in _curves(
            [
                run
                for run, found in zip(runs, comparison.objectives, strict=True)
                if found == objective and run.history
            ],
            objective,
        )
    ]
    notes = "".join(definitions({"note": note}) for note in comparison.notes)
    sections = [
        Section("Runs", notes + table(comparison.table)),
        Section("Curves", render_figures(figures)),
        Section("Settings that are equal", definitions(comparison.equal)),
    ]
    return page(f"Comparison of {len(runs)} runs", [each for each in sections if each.body])


def _curves(runs: Sequence[RunSummary], objective: str) -> list[CaptionedFigure]:
    """Loss by epoch of runs with the same objective, on validation examples if all have them."""
    if not runs:
        return []
    validated = all("validation" in record for run in runs for record in run.history)
    quantity = "validation loss" if validated else "train loss"
    curves = {
        str(run.folder): (
            [record["epoch"] for record in run.history],
            [(record["validation"] if validated else record)["loss"] for record in run.history],
        )
        for run in runs
    }
    of = f", {objective}" if objective else ""
    return [
        CaptionedFigure(
            plots.run_curves(curves, quantity=f"{quantity} per example"),
            f"{quantity.capitalize()}{of}",
            f"{quantity.capitalize()} of each run by epoch.",
            f"Curves of the {quantity} of each run against the epoch.",
        )
    ]
