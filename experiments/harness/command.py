"""The command of an experiment: its configuration as options, results read where they exist."""

import dataclasses
import inspect
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, NamedTuple

import tyro

from aejax import data
from experiments.harness import records


class Asked(NamedTuple):
    """What the command line said."""

    config: Any
    fresh: bool


def execute(experiment: ModuleType, words: Sequence[str] | None = None) -> dict[str, Any]:
    """Run an experiment as its command line says, and write results, figure and verdict.

    Every field of the experiment's `Config` is an option: `--seeds 10`, `--data PATH`. Results of
    the same configuration and the same code are read, not computed again. With the full setting,
    which is `Config()`, the summary under experiments/results is written too.

    Args:
        experiment: the module; see CONTRIBUTING.md for what it holds.
        words: the command line; the process's own unless given.

    Returns:
        The record, as the JSON file holds it.
    """
    asked = _parse(experiment, sys.argv[1:] if words is None else words)
    config, dataset = asked.config, None
    if hasattr(config, "data"):
        dataset = getattr(experiment, "load", data.load)(config.data)
        config = dataclasses.replace(config, data=dataset.name)  # what it is, not where it lies
    name, place = records.name_of(experiment), records.folder(experiment, config, dataset)
    file = place / f"{name}.json"
    if asked.fresh:
        shutil.rmtree(place, ignore_errors=True)
    if not file.exists():
        _run(experiment, config, dataset, file)
    results, record = records.read_results(file)
    record |= {"about": records.about(experiment), **records.judged(experiment, results.metrics)}
    files = [file]
    if records.plain(config) == records.plain(experiment.Config()):
        files.append(records.summary_file(name))
        records.write_record(files[-1], {k: v for k, v in record.items() if k != "arrays"})
    figure = experiment.plot(config, results)
    for written in files:
        records.write_figure(written.with_suffix(".png"), figure)
    _tell(record, files)
    return record


def _parse(experiment: ModuleType, words: Sequence[str]) -> Asked:
    default = experiment.QUICK if "--quick" in words else experiment.Config()

    def command(
        config: Annotated[experiment.Config, tyro.conf.arg(name="")] = default,
        quick: bool = False,
        fresh: bool = False,
    ) -> Asked:
        """Parse one command line.

        Args:
            config: what decides the numbers.
            quick: start from the small setting, for a look.
            fresh: run again what has been run before.
        """
        del quick  # it has chosen the default
        return Asked(config, fresh)

    title = records.about(experiment)["title"]
    prog = f"python -m experiments.{records.name_of(experiment)}"
    return tyro.cli(command, args=list(words), prog=prog, description=title)


def _run(experiment: ModuleType, config: Any, dataset: data.Dataset | None, file: Path) -> None:
    """Compute the results, part by part where there are parts, and write them to file."""
    remember, seconds_before = records.remember_in(file.parent)
    given = {"config": config, "dataset": dataset, "remember": remember}
    asked_for = inspect.signature(experiment.run).parameters
    environment, start = records.code_and_machine(experiment), time.perf_counter()
    results = records.as_numpy(experiment.run(**{name: given[name] for name in asked_for}))
    seconds = time.perf_counter() - start + seconds_before()
    about_run = {"environment": environment, "seconds": round(seconds, 1)}
    record = records.record_of(experiment, config, results.metrics, dataset, about_run)
    records.write_results(file, results, record)


def _tell(record: dict[str, Any], files: Sequence[Path]) -> None:
    for claim, (mean, low, high, holds) in record["comparisons"].items():
        print(f"{'holds' if holds else 'fails'}: {claim}: {mean:.4g} [{low:.4g}, {high:.4g}]")
    print(f"{record['verdict']}, in {record['seconds']} s")
    print(*(file.relative_to(records.ROOT) for file in files), sep="\n")
