"""Runs in a folder, with their settings and figures."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from aejax.runs.given_settings import distinctive_settings
from aejax.runs.history import read_run_history
from aejax.runs.objective_record import read_record
from aejax.runs.run import (
    configuration_file,
    objective_file,
    read_about,
    read_configuration,
    read_metrics,
    sweep_file,
)
from aejax.runs.sweep_grid import without_settings
from aejax.training.records import Record, losses_of

OWN_DATA = "(arrays)"
"""Name of the data of a run of `aejax.runs.train`."""

PROBLEMS = (ValueError, OSError, KeyError, TypeError)
"""Exceptions for files that are missing or damaged, or not those of a run."""


class RunSummary(NamedTuple):
    """Settings and figures of a run.

    folder:      folder of the run.
    data:        data set, as it was given.
    fingerprint: fingerprint of the data.
    settings:    settings by name, without the data.
    distinctive: names of the settings that were given, or that differ from the defaults.
    code:        number of code units; None if it is not known.
    epochs:      number of epochs trained.
    figures:     losses and test errors by name; None for those that were not measured.
    history:     records of the epochs.
    modified:    time of the last change, in seconds since 1970.
    """

    folder: Path
    data: str
    fingerprint: str
    settings: dict[str, Any]
    distinctive: tuple[str, ...]
    code: int | None
    epochs: int
    figures: dict[str, float | None]
    history: list[Record]
    modified: float


class Unreadable(NamedTuple):
    """A folder that looks like a run, and the reason why it cannot be read."""

    folder: Path
    problem: str


def list_runs(folder: Path) -> tuple[list[RunSummary], list[Unreadable]]:
    """Summarise all runs in a folder and its subfolders, in natural order of their paths.

    Args:
        folder: folder to search, or a run.

    Returns:
        The runs, and the folders that cannot be read.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    found, unreadable = [], []
    for run in _find_runs(folder):
        try:
            found.append(summarise_run(run))
        except PROBLEMS as error:
            unreadable.append(Unreadable(run, str(error) or repr(error)))
    found.sort(key=lambda run: natural_order(run.folder))
    return found, unreadable


def summarise_run(run: Path) -> RunSummary:
    """Read the settings and figures of a run, of `aejax train` or `aejax.runs.train`.

    Args:
        run: folder of the run.

    Returns:
        The summary; of a run that is not finished, without test errors.

    Raises:
        FileNotFoundError: if the folder is not a run.
        ValueError: if a file of the run is damaged.
    """
    is_own = objective_file(run).exists() and not configuration_file(run).exists()
    data, settings, code = _own_settings(run) if is_own else _settings(run)
    about, metrics, history = read_about(run), read_metrics(run), read_run_history(run)
    test = metrics.get("test") or {}
    figures = {
        **_losses(history),
        "test loss": test.get("loss"),
        "test error": metrics.get("test_error"),
        "PCA test error": metrics.get("pca_test_error"),
        "active units": metrics.get("active_units"),
        "dead units": metrics.get("dead_units"),
        "explained variance": metrics.get("explained_variance"),
    }
    code = metrics.get("code", code)
    if is_own:
        distinctive = tuple(name for name, value in settings.items() if value is not None)
    else:
        distinctive = distinctive_settings(settings, about.given)
    modified = max(file.stat().st_mtime for file in run.iterdir())
    return RunSummary(
        run,
        data,
        about.fingerprint,
        settings,
        distinctive,
        code,
        len(history),
        figures,
        history,
        modified,
    )


def summarise_compared(folder: Path) -> list[RunSummary]:
    """Summarise a run, or the runs of a sweep, in natural order of their names.

    Args:
        folder: folder of the run or sweep.

    Returns:
        The summaries, as those of `summarise_run`.

    Raises:
        FileNotFoundError: if the folder is neither.
        ValueError: if a file of a run is damaged.
    """
    runs = _find_runs(folder) if sweep_file(folder).exists() else [folder]
    return sorted(map(summarise_run, runs), key=lambda run: natural_order(run.folder))


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key of paths in which numbers ascend by value: code-2 is before code-16."""
    parts = re.findall(r"\d+|\D+", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _find_runs(folder: Path) -> Iterator[Path]:
    """Folders with the settings or the checkpoints of a run, which are not searched further."""
    for parent, folders, files in os.walk(folder):
        is_run = {"configuration.json", "objective.json"} & set(files) or "checkpoints" in folders
        if is_run:
            yield Path(parent)
        partial = [name for name in folders if name.endswith(".partial")]  # of a killed sweep
        folders[:] = [] if is_run else sorted(set(folders) - set(partial))


def _settings(run: Path) -> tuple[str, dict[str, Any], int | None]:
    configuration = read_configuration(run)
    settings = without_settings(configuration, ["data", "data_dir"])
    sizes = configuration.sizes
    return configuration.data, settings, sizes[-1] if sizes else None


def _own_settings(run: Path) -> tuple[str, dict[str, Any], int | None]:
    record = read_record(run)
    settings = {name: each for name, each in record.settings.items() if name != "data fingerprint"}
    return OWN_DATA, {"factory": record.factory, **settings}, None


def _losses(history: list[Record]) -> dict[str, float | None]:
    validation = losses_of(history)
    return {
        "train loss": history[-1]["loss"] if history else None,
        "validation loss": validation[-1] if validation else None,
        "best validation loss": min(validation, default=None),
    }
