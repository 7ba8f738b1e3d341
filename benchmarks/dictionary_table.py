"""Page of the comparison of sparse dictionaries with SAELens, docs/dictionary_benchmark.md.

`python -m benchmarks.dictionary_table` formats the results of `benchmarks.peers_dictionaries`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.evaluation.seed_comparisons import interval
from aejax.runs.atomic_files import write_text
from benchmarks import peers_dictionaries

PAGE = Path(__file__).parents[1] / "docs" / "dictionary_benchmark.md"
LEVELS = (4.0, 6.0, 8.0)
"""Mean numbers of active units at which dictionaries are compared."""

TOLERANCE = 0.05
"""Relative distance from the nearest measured number up to which a level is compared."""

SCORES = ("F1", "MCC", "uniqueness", "explained variance")
HEAD = """# Sparse dictionaries on known features: aejax beside SAELens

Written by `python -m benchmarks.dictionary_table` from the results of
`python -m benchmarks.peers_dictionaries`, whose docstring states the comparison. Each dictionary is
trained with {samples:,} samples; values are means of {seeds} seeds ± half of their 95 % interval.
For each seed, the scores of three dictionaries are interpolated at {levels} active units; "–" means
that they do not reach that number. *Difference* is the F1 of aejax minus that of SAELens. An
activation without a row of a package has not been measured with it.

"""
SUMMARY_HEAD = """
## Differences over all rows

Rows by the 95 % interval of aejax − SAELens, with the same seeds.

| score | aejax is higher | undecided | aejax is lower |
|---|---:|---:|---|
"""
COLUMNS = (
    "| activation | active | package | F1 | MCC | uniqueness | explained variance | difference |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
ORDER_HEAD = """
## Order of the activations

At 6 active units, in descending order. In the published comparison, with sixteen times as many
features and 200 times as many samples, Matryoshka is first by F1 and matching pursuit by explained
variance (Chanin & Garriga-Alonso 2026).

| package | by F1 | by explained variance |
|---|---|---|
"""
RATES_HEAD = """
## Learning rates

On the draw on which they are chosen: the highest F1 with a compared number of active units. If an
example has more active features than the code has active units, the dictionary with the lowest
error is not the true one ([closed form](theory/14_dictionaries.md#mixed_features)).

| activation | package | learning rate | active | F1 | explained variance |
|---|---|---|---:|---:|---:|
"""


def at_level(cells: list[Mapping[str, float]], level: float, score: str) -> float:
    """Score of one seed at a number of active units, interpolated linearly; NaN out of reach."""
    ordered = sorted(cells, key=lambda cell: cell["L0"])
    numbers = np.array([cell["L0"] for cell in ordered])
    if not numbers[0] * (1 - TOLERANCE) <= level <= numbers[-1] * (1 + TOLERANCE):
        return np.nan
    return float(np.interp(level, numbers, [cell[score] for cell in ordered]))


def seed_of(name: str) -> int:
    """Seed of a cell, the last part of its name."""
    return int(name.rsplit(" ", 1)[1])


def at_chosen_rate(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with only the cells of the chosen learning rate; others are of an older choice."""
    chosen = peers_dictionaries.best_rate(record["choice"], LEVELS)
    cells = record["cells"].items()
    kept = {name: cell for name, cell in cells if peers_dictionaries.rate_of(name) == chosen}
    return {**record, "cells": kept}


def of_complete_seeds(
    records: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, dict[str, dict[str, Any]]]:
    """The records with only the seeds for which each of them has all its cells."""
    complete = None
    for record in (record for packages in records.values() for record in packages.values()):
        counts = Counter(map(seed_of, record["cells"]))
        full = {seed for seed, count in counts.items() if count == max(counts.values())}
        complete = full if complete is None else complete & full
    return {
        activation: {
            package: record
            | {"cells": {n: cell for n, cell in record["cells"].items() if seed_of(n) in complete}}
            for package, record in packages.items()
        }
        for activation, packages in records.items()
    }


def scores_by_seed(record: Mapping[str, Any], level: float, score: str) -> np.ndarray:
    """Score of every seed at a number of active units, [seeds]."""
    by_seed: dict[int, list[Mapping[str, float]]] = {}
    for name, cell in record["cells"].items():
        by_seed.setdefault(seed_of(name), []).append(cell)
    return np.array([at_level(by_seed[seed], level, score) for seed in sorted(by_seed)])


def page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown.

    Args:
        records: activation -> package -> record of `benchmarks.peers_dictionaries`.
    """
    records = of_complete_seeds(records)
    any_record = next(iter(next(iter(records.values())).values()))
    seeds = len(scores_by_seed(any_record, LEVELS[0], "F1"))
    levels = ", ".join(f"{level:g}" for level in LEVELS)
    text = HEAD.format(samples=any_record["settings"]["samples"], seeds=seeds, levels=levels)
    rows = [
        _row(activation, level, package, packages)
        for activation, packages in records.items()
        for level in LEVELS
        for package in packages
    ]
    text += COLUMNS + "".join(rows) + SUMMARY_HEAD + "".join(_summary(records))
    return text + _best(records) + ORDER_HEAD + _orders(records) + _rates(records)


def _summary(records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Rows of the table of decided differences, one for each score."""
    for score in SCORES:
        higher, undecided, lower = 0, 0, []
        for activation, packages in records.items():
            for level in LEVELS if len(packages) == 2 else ():
                ours, theirs = (
                    scores_by_seed(packages[name], level, score) for name in ("aejax", "SAELens")
                )
                if len(ours) < 2 or np.isnan(ours - theirs).any():
                    continue
                mean, low, high = interval(ours - theirs)
                higher, undecided = higher + (low > 0), undecided + (low <= 0 <= high)
                lower += [f"{activation} {level:g} ({mean:.3f})"] if high < 0 else []
        listed = f"{len(lower)}: {', '.join(lower)}" if lower else "0"
        yield f"| {score} | {higher} | {undecided} | {listed} |\n".replace("-", "−")


def _best(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Sentence on the dictionaries of each package with the highest mean F1, at any sparsity."""
    best: dict[str, tuple[float, str, np.ndarray]] = {}
    for activation, packages in records.items():
        for package, record in packages.items():
            by_sparsity: dict[str, list[Mapping[str, float]]] = {}
            for name, cell in record["cells"].items():
                by_sparsity.setdefault(name.rsplit(",", 1)[0], []).append(cell)
            for cells in by_sparsity.values():
                f1 = np.array([cell["F1"] for cell in cells])
                active = np.mean([cell["L0"] for cell in cells])
                if f1.mean() > best.get(package, (-np.inf,))[0]:
                    best[package] = (f1.mean(), f"{activation}, {active:.1f} active", f1)
    if len(best) < 2:
        return ""
    named = "; ".join(f"{package} {mean:.3f} ({name})" for package, (mean, name, _) in best.items())
    difference = _mean(best["aejax"][2] - best["SAELens"][2], signed=True)
    return f"\nHighest mean F1 at any sparsity: {named}. Difference of the two: {difference}.\n"


def _rates(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Table of the learning rates among which one was chosen."""
    text = RATES_HEAD
    for activation, packages in records.items():
        for package, record in packages.items():
            chosen = peers_dictionaries.best_rate(record["choice"], LEVELS)
            for name, cell in record["choice"].items():
                rate = peers_dictionaries.rate_of(name)
                mark = " (chosen)" if rate == chosen else ""
                values = " | ".join(f"{cell[score]:.3f}" for score in ("F1", "explained variance"))
                text += (
                    f"| {activation} | {package} | {rate:g}{mark} | {cell['L0']:.1f} | {values} |\n"
                )
    return text


def _orders(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Activations of each package in descending order of two scores, at the middle level."""
    level, text = LEVELS[len(LEVELS) // 2], ""
    for package in peers_dictionaries.PACKAGES:
        orders = []
        for score in ("F1", "explained variance"):
            means = {
                activation: float(np.mean(scores_by_seed(packages[package], level, score)))
                for activation, packages in records.items()
                if package in packages
            }
            reached = {name: mean for name, mean in means.items() if np.isfinite(mean)}
            ordered = sorted(reached, key=reached.__getitem__, reverse=True)
            orders.append(", ".join(f"{name} {reached[name]:.3f}" for name in ordered))
        text += f"| {package} | {' | '.join(orders)} |\n"
    return text


def _row(
    activation: str, level: float, package: str, packages: Mapping[str, Mapping[str, Any]]
) -> str:
    values = {score: scores_by_seed(packages[package], level, score) for score in SCORES}
    fields = [activation, f"{level:g}", package, *map(_mean, values.values())]
    difference = ""
    if package == "aejax" and "SAELens" in packages:
        peer = scores_by_seed(packages["SAELens"], level, "F1")
        difference = _mean(values["F1"] - peer, signed=True)
    return f"| {' | '.join([*fields, difference])} |\n"


def _mean(values: np.ndarray, *, signed: bool = False) -> str:
    if len(values) < 2 or np.isnan(values).any():
        return "–"
    mean, low, high = interval(values)
    text = f"{mean:+.3f}" if signed else f"{mean:.3f}"
    return f"{text} ± {(high - low) / 2:.3f}".replace("-", "−")


def committed_page() -> str:
    """The page of the committed results."""
    records: dict[str, dict[str, Any]] = {}
    for activation in peers_dictionaries.Config().activations:
        for package in peers_dictionaries.PACKAGES:
            path = peers_dictionaries.results_file(package, activation)
            if path.is_file():
                record = at_chosen_rate(json.loads(path.read_text(encoding="utf-8")))
                if record["cells"]:
                    records.setdefault(activation, {})[package] = record
    return page(records)


if __name__ == "__main__":
    write_text(PAGE, committed_page())
