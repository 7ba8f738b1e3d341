"""`aejax runs`: list of the runs in a folder."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from aejax.cli.process.text_table import text_table
from aejax.runs.factories import short_factory
from aejax.runs.listing import RunSummary, list_runs, natural_order

Order = Literal["name", "validation", "test", "newest"]

ORDERS: dict[Order, Callable[[RunSummary], Any]] = {
    "name": lambda run: natural_order(run.folder),
    "validation": lambda run: _or_last(run.figures["best validation loss"]),
    "test": lambda run: _or_last(run.figures["test error"]),
    "newest": lambda run: -run.modified,
}
"""Order of the list -> key of a run."""

SHOWN_FIGURES = ("train loss", "best validation loss", "test error", "PCA test error")


@dataclass(frozen=True)
class Runs:
    """List the runs in a folder with their settings and figures.

    Example: aejax runs runs --sort test

    Subfolders are searched too, such as those of sweeps. Settings with their default values and
    those chosen from the data are left out. Folders that cannot be read are named on stderr.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """folder to search"""
    sort: Order = "name"
    """order: name, lowest validation loss or test error first, or newest first"""
    json: bool = False
    """print all settings and figures as JSON"""


def print_runs(command: Runs) -> None:
    """Print the list of the runs."""
    found, unreadable = list_runs(command.folder)
    found.sort(key=ORDERS[command.sort])
    if command.json:
        print(
            json.dumps(
                {
                    "runs": [_document(run) for run in found],
                    "unreadable": [
                        {"run": str(folder), "problem": problem} for folder, problem in unreadable
                    ],
                }
            )
        )
        return
    print(text_table([_row(run) for run in found]) if found else f"no runs in {command.folder}")
    for _, problem in unreadable:
        print(f"aejax: cannot be read: {problem}", file=sys.stderr)


def _document(run: RunSummary) -> dict[str, Any]:
    document = run._asdict()
    del document["history"]
    return document | {"folder": str(run.folder)}


def _row(run: RunSummary) -> dict[str, Any]:
    return {
        "run": str(run.folder),
        "data": run.data,
        "code": run.code,
        "epochs": run.epochs,
        **{name: run.figures[name] for name in SHOWN_FIGURES},
        "settings": _distinctive(run),
    }


def _distinctive(run: RunSummary) -> str:
    """Settings that were given or differ from the defaults, as text."""
    settings = {name: run.settings[name] for name in run.distinctive}
    arguments = settings.pop("arguments", None) or {}
    return " ".join(f"{name}={_short(value)}" for name, value in {**settings, **arguments}.items())


def _short(value: Any) -> str:
    if isinstance(value, str):
        return short_factory(value)
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _or_last(value: float | None) -> float:
    return inf if value is None else value
