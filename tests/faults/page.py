"""What came of all injections, as numbers and as a page."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aejax.runs.atomic_files import write_text
from tests.faults.matrix import TIMES, Record
from tests.faults.runs import EPOCHS, SETTINGS

ROOT = Path(__file__).parents[2]
SUMMARY = ROOT / "docs" / "results" / "faults.json"
ALTERATIONS = ROOT / "docs" / "results" / "alterations.json"
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

ALTERED_HEAD = """
## Altered files

`python -m tests.faults.alterations` writes this section and its numbers,
`docs/results/alterations.json`. One file of a finished run, or of its export, is altered as a seed
({seed}) draws: one bit is flipped, the file is cut short or deleted, or it is exchanged for that of
another run of the same settings, or its checkpoint for one of another step or run. Then one command
is run on it (in turn: {commands}). The command must refuse the file by name, with exit code 2 and
at most two lines, or write bit-identical results; all else is lost.

**{tries} injections: {refused} refused by name, {same} with the same results, {lost} lost.**

| file | alteration | refused | same results | lost |
|---|---|---:|---:|---:|
"""


def write(records: Sequence[Record], seed: int) -> None:
    """Write docs/results/faults.json and docs/faults.md.

    Args:
        records: of all injections.
        seed: that decided them.
    """
    found = {"seed": seed, "cells": summary(records)}
    write_text(SUMMARY, json.dumps(found, indent=1) + "\n")
    write_page()


def write_page() -> None:
    """Write docs/faults.md from the results that are there."""
    text = render(json.loads(SUMMARY.read_text(encoding="utf-8")))
    if ALTERATIONS.exists():
        text += render_alterations(json.loads(ALTERATIONS.read_text(encoding="utf-8")))
    write_text(PAGE, text)


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


def render_alterations(found: dict[str, Any]) -> str:
    """The section on altered files."""
    rows, outcomes = found["rows"], ("refused", "same", "lost")
    totals = {name: sum(row[name] for row in rows) for name in outcomes}
    head = ALTERED_HEAD.format(
        seed=found["seed"],
        commands=", ".join(found["commands"]),
        tries=sum(totals.values()),
        **totals,
    )
    columns = ("file", "alteration", *outcomes)
    return head + "".join(
        f"| {' | '.join(str(row[column]) for column in columns)} |\n" for row in rows
    )


def _row(cell: dict[str, Any]) -> str:
    counts = [str(cell[name]) for name in ("tries", "survived", "lost")]
    said = f"`{cell['said']}`" if cell["said"] else ""
    return f"| {' | '.join([cell['fault'], cell['moment'], *counts, said])} |\n"
