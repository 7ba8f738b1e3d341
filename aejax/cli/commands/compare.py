"""`aejax compare`: settings, figures and curves of several runs side by side."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from aejax.cli.process.text_table import text_table
from aejax.runs.atomic_files import check_not_directory, write_text
from aejax.runs.comparing import compare_runs
from aejax.runs.listing import summarise_compared


@dataclass(frozen=True)
class Compare:
    """Compare runs of the same data: settings that differ, losses, test errors and PCA.

    Example: aejax compare runs/plain runs/denoising --out comparison.html

    Example: aejax compare sweeps/digits

    Losses of different objectives are marked as not comparable; runs of different data are refused.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN RUN …")]
    """folders of the runs, two or more; that of a sweep stands for its best run of each program"""
    out: Path = Path("comparison.html")
    """page with the curves of all runs; the default is in the working directory"""
    json: bool = False
    """print the table as JSON"""


def compare(command: Compare) -> None:
    """Print the comparison as a table, and write its page."""
    check_not_directory(command.out)
    if command.out.suffix not in (".html", ".htm"):
        raise ValueError(f"out must end in .html, got {command.out}")
    runs = [run for folder in command.runs for run in summarise_compared(folder)]
    comparison = compare_runs(runs)
    from aejax.report.comparison_report import comparison_page  # matplotlib is slow to import

    write_text(command.out, comparison_page(runs, comparison))
    if command.json:
        print(json.dumps({"runs": comparison.table, "notes": comparison.notes}))
        return
    print(text_table(comparison.table))
    for note in comparison.notes:
        print(f"note: {note}")
    print(f"page: {command.out}")
