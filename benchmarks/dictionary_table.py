"""Page of the comparison of sparse dictionaries with SAELens, docs/dictionary_benchmark.md.

`python -m benchmarks.dictionary_table` formats the results of `benchmarks.peers_dictionaries`.
"""

import json
from collections.abc import Mapping
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
that they do not reach that number. *Difference* is the F1 of aejax minus that of SAELens.

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


def at_level(cells: list[Mapping[str, float]], level: float, score: str) -> float:
    """Score of one seed at a number of active units, interpolated linearly; NaN out of reach."""
    ordered = sorted(cells, key=lambda cell: cell["L0"])
    numbers = np.array([cell["L0"] for cell in ordered])
    if not numbers[0] * (1 - TOLERANCE) <= level <= numbers[-1] * (1 + TOLERANCE):
        return np.nan
    return float(np.interp(level, numbers, [cell[score] for cell in ordered]))


def scores_by_seed(record: Mapping[str, Any], level: float, score: str) -> np.ndarray:
    """Score of every seed at a number of active units, [seeds]."""
    by_seed: dict[int, list[Mapping[str, float]]] = {}
    for name, cell in record["cells"].items():
        by_seed.setdefault(int(name.rsplit(" ", 1)[1]), []).append(cell)
    return np.array([at_level(by_seed[seed], level, score) for seed in sorted(by_seed)])


def page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown.

    Args:
        records: activation -> package -> record of `benchmarks.peers_dictionaries`.
    """
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
    return text + COLUMNS + "".join(rows) + ORDER_HEAD + _orders(records)


def _orders(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Activations of each package in descending order of two scores, at the middle level."""
    level, text = LEVELS[len(LEVELS) // 2], ""
    for package in peers_dictionaries.PACKAGES:
        orders = []
        for score in ("F1", "explained variance"):
            means = {
                activation: float(np.mean(scores_by_seed(packages[package], level, score)))
                for activation, packages in records.items()
                if package in packages and packages[package]["cells"]
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
        count = min(len(peer), len(values["F1"]))
        difference = _mean(values["F1"][:count] - peer[:count], signed=True)
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
                record = json.loads(path.read_text(encoding="utf-8"))
                records.setdefault(activation, {})[package] = record
    return page(records)


if __name__ == "__main__":
    write_text(PAGE, committed_page())
