"""`aejax sweep`: trains every combination of settings with several seeds."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from aejax.cli.process.text_table import text_table
from aejax.runs import sweeping
from aejax.runs.atomic_files import write_text
from aejax.runs.configuration import Options
from aejax.runs.error_messages import interruptible
from aejax.runs.sweep_summary import summarise

LISTED = 10
"""Number of settings that are printed."""


@dataclass(frozen=True)
class Sweep:
    """Train every combination of settings with several seeds.

    Example: aejax sweep --data digits --code 1 2 4 8 --learning-rate 1e-3 3e-3 --out sweeps/digits

    Every option with one value, such as --learning-rate or --penalty.l2, accepts several. Settings
    that share their shapes train in one vmapped program. --out receives table.csv and table.json,
    a page with figures, and in runs/ the best member of each program as an ordinary run. The same
    command resumes a sweep that was stopped, and further code sizes can be added to it.
    """

    training: Annotated[Options, tyro.conf.arg(name="")] = field(default_factory=Options)
    """settings that all members share"""
    seeds: int = 3
    """number of seeds, counted from --seed; all settings have the same"""
    out: Path = Path("sweeps/latest")
    """folder of the sweep"""
    quiet: bool = False
    """hide the progress"""
    json: bool = False
    """print the table as JSON"""
    grid: Annotated[Any, tyro.conf.Fixed, tyro.conf.Suppress] = field(default_factory=dict)
    """setting -> values of the options with several values"""


def sweep(command: Sweep) -> None:
    """Train what is missing of the sweep, write table and page of its folder, print a summary."""
    with interruptible(command.out):
        sweeping.sweep(
            command.training,
            command.grid,
            out=command.out,
            seeds=command.seeds,
            progress=not command.quiet,
        )
        found = sweeping.open_sweep(command.out)
        from aejax.report.sweep_report import sweep_page  # matplotlib is slow to import

        page = command.out / "sweep.html"
        write_text(page, sweep_page(found))
    if command.json:
        print(json.dumps(found.table))
        return
    rows = [
        {name: value for name, value in row.items() if "difference" not in name}
        for row in summarise(found)
    ]
    print(text_table(rows[:LISTED]))
    if len(rows) > LISTED:
        print(f"and {len(rows) - LISTED} more settings in {page}")
    print(f"best run: {found.best}")
    print(f"page: {page}")
