"""What came of all injections, as numbers and as a page."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aejax.cli.files import write_text
from faults.matrix import TIMES, Record
from faults.runs import EPOCHS, SETTINGS

ROOT = Path(__file__).parents[1]
SUMMARY = ROOT / "docs" / "results" / "faults.json"
PAGE = ROOT / "docs" / "faults.md"
HEAD = """# Faults, and what is left of a run

`make faults` writes this page and its numbers, `docs/results/faults.json`.

A run of {epochs} epochs with a checkpoint each (`aejax {settings}`)
is disturbed at moments that a seed ({seed}) draws, in a process of its own, and then goes on as its
last words say. It has survived where the disturbed process ended as promised (by the signal, or
with the exit code of bad input and at most two lines that name what is wrong), and where in the end
every array of the last checkpoint (parameters, moments, counters, key), the history and the figures
are those of an undisturbed run, to the bit. It is lost otherwise.

**{tries} injections, {survived} survived, {lost} lost.**

| fault | moment | tries | survived | lost | it says |
|---|---|---:|---:|---:|---|
"""
MOMENTS = f"""
Starting: up to the first record, while data are read and the program is compiled. Training: between
two records. Saving: while a checkpoint is written. Ending: after the last record. Resuming: a run
that was stopped before. Up to {TIMES} signals are sent to a run, which goes on after each; where
it is lost, it is counted once. In its last epoch, and after it, a run ends of itself instead of by
SIGTERM or SIGINT. A kill that came too late is tried again, and so is a disk that was not too
small; they are not counted.
"""


def write(records: Sequence[Record], seed: int) -> None:
    """Write docs/results/faults.json and docs/faults.md.

    Args:
        records: of all injections.
        seed: that decided them.
    """
    found = {"seed": seed, "cells": summary(records)}
    write_text(SUMMARY, json.dumps(found, indent=1) + "\n")
    write_text(PAGE, render(found))


def summary(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Tries, survived and lost of each fault and moment, and a line that it said."""
    rows: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        rows.setdefault((record.fault, record.moment), []).append(record)
    cells = []
    for (fault, moment), group in rows.items():
        counts = Counter[str]()
        for record in group:
            counts[record.outcome] += record.tries
        said = Counter(record.said for record in group if record.outcome == "survived")
        cells.append(
            {
                "fault": fault,
                "moment": moment,
                "tries": counts["survived"] + counts["lost"],
                "survived": counts["survived"],
                "lost": counts["lost"],
                "said": said.most_common(1)[0][0] if said else "",
            }
        )
    return cells


def render(found: dict[str, Any]) -> str:
    """The page of a summary."""
    cells = found["cells"]
    totals = {name: sum(cell[name] for cell in cells) for name in ("tries", "survived", "lost")}
    head = HEAD.format(epochs=EPOCHS, settings=SETTINGS, seed=found["seed"], **totals)
    return head + "".join(map(_row, cells)) + MOMENTS


def _row(cell: dict[str, Any]) -> str:
    counts = [str(cell[name]) for name in ("tries", "survived", "lost")]
    said = f"`{cell['said']}`" if cell["said"] else ""
    return f"| {' | '.join([cell['fault'], cell['moment'], *counts, said])} |\n"
