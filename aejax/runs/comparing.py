"""Comparison of runs: settings that differ, figures, and which of them can be compared."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aejax.runs.configuration import DATA_OPTIONS
from aejax.runs.listing import RunSummary
from aejax.runs.sweep_grid import PENALTY_WEIGHTS

OBJECTIVE_SETTINGS = (
    *("loss", "factory", "dictionary.activation", "dictionary.prefixes", "penalty.rho"),
    *("variational.posterior", "variational.samples", "variational.free_bits"),
    *("variational.binarise", "quantised.quantiser"),
    *PENALTY_WEIGHTS,
)
"""Settings that change the minimised function, so that losses cannot be compared."""

LOSSES = ("train loss", "validation loss", "best validation loss", "test loss")
ERRORS = ("test error", "PCA test error", "explained variance")


class RunComparison(NamedTuple):
    """Runs side by side.

    table:      one row per run: settings that differ, code size, epochs and figures. Columns that
                cannot be compared are named so.
    notes:      the reasons why figures cannot be compared.
    equal:      settings that all runs share.
    objectives: name of the objective of each run; the losses of runs with the same are comparable.
    """

    table: list[dict[str, Any]]
    notes: list[str]
    equal: dict[str, Any]
    objectives: list[str]


def compare_runs(runs: Sequence[RunSummary]) -> RunComparison:
    """Compare runs that were trained on the same data.

    Args:
        runs: summaries of two or more runs.

    Returns:
        The comparison.

    Raises:
        ValueError: if there are fewer than two runs, a run twice, or runs of different data.
    """
    _check_runs(runs)
    names = dict.fromkeys(name for run in runs for name in run.settings)
    differing = [name for name in names if len({repr(run.settings.get(name)) for run in runs}) > 1]
    marks, notes = _marks(runs, differing)
    figures = [
        name for name in runs[0].figures if any(run.figures[name] is not None for run in runs)
    ]
    table = [
        {
            "run": str(run.folder),
            **{name: _cell(run.settings.get(name)) for name in differing},
            **({} if run.code is None else {"code": run.code}),
            "epochs trained": run.epochs,
            **{name + marks.get(name, ""): run.figures[name] for name in figures},
        }
        for run in runs
    ]
    equal = {name: runs[0].settings[name] for name in names if name not in differing}
    return RunComparison(table, notes, equal, [_objective(run, differing) for run in runs])


def _check_runs(runs: Sequence[RunSummary]) -> None:
    if len(runs) < 2:
        raise ValueError(f"a comparison needs two or more runs, got {len(runs)}")
    folders = [run.folder.resolve() for run in runs]
    twice = [
        run.folder for run, folder in zip(runs, folders, strict=True) if folders.count(folder) > 1
    ]
    if twice:
        raise ValueError(f"{twice[0]} is given more than once")
    first = runs[0]
    for run in runs[1:]:
        if run.fingerprint != first.fingerprint:
            raise ValueError(
                f"{first.folder} and {run.folder} were trained on different data "
                f"({_data_difference(first, run)}), so that their figures cannot be compared"
            )


def _data_difference(first: RunSummary, second: RunSummary) -> str:
    """Names of the data; or settings that make them differ; or that the file has changed."""
    if first.data != second.data:
        return f"{first.data} and {second.data}"
    pair = (first, second)
    differing = [
        name for name in DATA_OPTIONS if first.settings.get(name) != second.settings.get(name)
    ]
    settings = "; ".join(f"{name}: {_values(pair, name)}" for name in differing)
    return f"{first.data}, {settings or 'which has changed between the runs'}"


def _marks(
    runs: Sequence[RunSummary], differing: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Mark of each column that cannot be compared, and the reasons."""
    marks: dict[str, str] = {}
    notes: list[str] = []

    def mark(columns: Sequence[str], reason: str, names: Sequence[str]) -> None:
        marks.update(dict.fromkeys(columns, " (not comparable)"))
        values = "; ".join(f"{name}: {_values(runs, name)}" for name in names)
        notes.append(f"{reason} ({values})")

    if changed := [name for name in OBJECTIVE_SETTINGS if name in differing]:
        mark(LOSSES, "losses are not comparable, since the objectives differ", changed)
    if "normalise" in differing:
        reason = "losses and errors are not comparable, since their units differ"
        mark((*LOSSES, *ERRORS), reason, ["normalise"])
    splits = [name for name in ("validation", "split_seed", "seed") if name in differing]
    if splits and not _share_split(runs):
        reason = "validation losses are of different validation examples"
        notes.append(f"{reason} ({'; '.join(f'{name}: {_values(runs, name)}' for name in splits)})")
    return marks, notes


def _share_split(runs: Sequence[RunSummary]) -> bool:
    splits = set()
    for run in runs:
        seed, split_seed = run.settings.get("seed"), run.settings.get("split_seed")
        splits.add((run.settings.get("validation"), seed if split_seed is None else split_seed))
    return len(splits) == 1


def _values(runs: Sequence[RunSummary], name: str) -> str:
    return ", ".join(dict.fromkeys(str(_cell(run.settings.get(name))) for run in runs))


def _objective(run: RunSummary, differing: Sequence[str]) -> str:
    """Settings of the objective and of the units that differ between the runs."""
    names = [name for name in (*OBJECTIVE_SETTINGS, "normalise") if name in differing]
    return ", ".join(f"{name} {_cell(run.settings.get(name))}" for name in names)


def _cell(value: Any) -> Any:
    """Value of a setting as a number or text."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return value if isinstance(value, int | float) or value is None else str(value)
