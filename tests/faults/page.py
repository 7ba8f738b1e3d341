"""Outcomes of all injections, as JSON and as a report."""

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
HEAD = """# Fault injection

`make faults` writes this report and its data, `docs/results/faults.json`.

A run of {epochs} epochs with one checkpoint per epoch (`aejax {settings}`)
is disturbed in a separate process, at random moments (seed {seed}), and then resumed as its error
message suggests. It has *survived* if two conditions are met. First, the disturbed process ended by
the signal, or with exit code 2 and at most two lines that name the problem. Second, the final run
is bit-identical to an undisturbed one: every array of the last checkpoint (parameters, optimiser
moments, counters, key), the history and the metrics. Otherwise the run is *lost*.

**{tries} injections, {survived} survived, {lost} lost.**

| fault | moment | tries | survived | lost | message |
|---|---|---:|---:|---:|---|
"""
MOMENTS = f"""
Starting: before the first record, while data are read and the program is compiled. Training:
between two records. Saving: while a checkpoint is written. Ending: after the last record. Resuming:
when an interrupted run resumes. Up to {TIMES} signals are sent to a run, which resumes after each;
a lost run is counted once. During and after its last epoch, a run finishes normally instead of
ending by SIGTERM or SIGINT. An injection without effect (a signal that came too late, a disk that
was large enough) is repeated and not counted.
"""

ALTERED_HEAD = """
## Altered files

`python -m tests.faults.alterations` writes this section and its data,
`docs/results/alterations.json`. One file of a finished run, or of its export, is altered at random
(seed {seed}): one bit is flipped, the file is truncated or deleted, or it is exchanged for the file
of another run with the same settings, or its checkpoint for one of another step or run. Then one
command reads it (in turn: {commands}). The command must refuse the file by name, with exit code 2
and at most two lines, or write bit-identical results. Everything else counts as lost.

**{tries} injections: {refused} refused by name, {same} with the same results, {lost} lost.**

| file | alteration | refused | same results | lost |
|---|---|---:|---:|---:|
"""


def write(records: Sequence[Record], seed: int) -> None:
    """Write docs/results/faults.json and docs/faults.md.

    Args:
        records: records of all injections.
        seed: seed of the random choices.
    """
    found = {"seed": seed, "cells": summary(records)}
    write_text(SUMMARY, json.dumps(found, indent=1) + "\n")
    write_page()


def write_page() -> None:
    """Write docs/faults.md from the stored results."""
    text = render(json.loads(SUMMARY.read_text(encoding="utf-8")))
    if ALTERATIONS.exists():
        text += render_alterations(json.loads(ALTERATIONS.read_text(encoding="utf-8")))
    write_text(PAGE, text)


def summary(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Tries, survived and lost runs of each fault and moment, and its most common message."""
    rows: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        rows.setdefault((record.fault, record.moment), []).append(record)
    cells = []
    for (fault, moment), group in rows.items():
        counts = Counter[str]()
        for record in group:
            counts[record.outcome] += record.tries
        messages = Counter(record.stderr for record in group if record.outcome == "survived")
        cells.append(
            {
                "fault": fault,
                "moment": moment,
                "tries": counts["survived"] + counts["lost"],
                "survived": counts["survived"],
                "lost": counts["lost"],
                "said": messages.most_common(1)[0][0] if messages else "",
            }
        )
    return cells


def render(found: dict[str, Any]) -> str:
    """Format a summary as Markdown."""
    cells = found["cells"]
    totals = {name: sum(cell[name] for cell in cells) for name in ("tries", "survived", "lost")}
    head = HEAD.format(epochs=EPOCHS, settings=SETTINGS, seed=found["seed"], **totals)
    return head + "".join(map(_row, cells)) + MOMENTS


def render_alterations(found: dict[str, Any]) -> str:
    """Format the section on altered files as Markdown."""
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
    message = f"`{cell['said']}`" if cell["said"] else ""
    return f"| {' | '.join([cell['fault'], cell['moment'], *counts, message])} |\n"
