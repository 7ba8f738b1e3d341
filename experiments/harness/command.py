"""Command line of an experiment: fields of its configuration as options, and cached results."""

import dataclasses
import inspect
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from aejax import data
from aejax.report.verdicts import comparison_verdict
from experiments.harness import records
from experiments.harness.experiment import Experiment


class Options(NamedTuple):
    """Parsed command line."""

    config: Any
    fresh: bool


def execute(experiment: Experiment, arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run an experiment from its command line, and write results, figure and verdicts.

    Every field of the configuration is an option: `--seeds 10`, `--data PATH`. Results of the same
    configuration, data and code are read, not computed again. The full setting also writes the
    summary under experiments/results.

    Args:
        experiment: the experiment's record.
        arguments: command-line arguments (default: those of the process).

    Returns:
        The record, as the JSON file stores it.
    """
    options = _parse(experiment, sys.argv[1:] if arguments is None else arguments)
    config, dataset = options.config, None
    if getattr(config, "seeds", 2) < 2:
        raise ValueError(f"an interval over seeds needs --seeds of at least 2, got {config.seeds}")
    if hasattr(config, "data"):
        dataset = experiment.load(config.data)
        config = dataclasses.replace(config, data=dataset.name)  # the name, not the path
    folder = records.results_folder(experiment, config, dataset)
    file = folder / f"{experiment.name}.json"
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not file.exists():
        _run(experiment, config, dataset, file)
    results, record = records.read_results(file)
    record |= {"about": experiment.texts, **records.verdicts(experiment, results.metrics)}
    files = [file]
    is_full = records.config_as_json(config) == records.config_as_json(experiment.config)
    if is_full and records.has_committed_data(record):
        files.append(records.summary_file(experiment.name))
        records.write_record(files[-1], {k: v for k, v in record.items() if k != "arrays"})
    figure = experiment.plot(config, results)
    for written in files:
        records.write_figure(written.with_suffix(".png"), figure)
    _print_summary(record, files)
    if len(files) == 1:
        print("not the full setting on its data: this verdict says nothing about the claim")
    return record


def _parse(experiment: Experiment, arguments: Sequence[str]) -> Options:
    default = experiment.quick if "--quick" in arguments else experiment.config

    def command(
        config: Annotated[type(default), tyro.conf.arg(name="")] = default,
        quick: bool = False,
        fresh: bool = False,
    ) -> Options:
        """Parse one command line.

        Args:
            config: settings of the experiment.
            quick: start from the small setting.
            fresh: discard cached results and run again.
        """
        del quick  # it selects the defaults above
        return Options(config, fresh)

    prog = f"python -m experiments.{experiment.name}"
    return tyro.cli(command, args=list(arguments), prog=prog, description=experiment.title)


def _run(experiment: Experiment, config: Any, dataset: data.Dataset | None, file: Path) -> None:
    """Compute the results, part by part if there are parts, and write them to file."""
    cache, cached_seconds = records.cache_in(file.parent, progress=True)
    available = {"config": config, "dataset": dataset, "cache": cache}
    parameters = inspect.signature(experiment.run).parameters
    environment, start = records.code_and_machine(experiment), time.perf_counter()
    results = experiment.run(**{name: available[name] for name in parameters})
    results = records.rounded_results(results)
    seconds = time.perf_counter() - start + cached_seconds()
    about_run = {"environment": environment, "seconds": round(seconds, 1)}
    record = records.make_record(experiment, config, results.metrics, dataset, about_run)
    records.write_results(file, results, record)


def _print_summary(record: dict[str, Any], files: Sequence[Path]) -> None:
    primary = record["primary"]
    values = " against ".join(f"{mean:.4g} ({name})" for name, mean in primary["values"].items())
    print(f"primary claim {primary['verdict']}: {primary['quantity']}: {values}")
    for claim, (mean, low, high, holds) in record["comparisons"].items():
        word = comparison_verdict(low, high, holds)
        print(f"{word}: {claim}: {mean:.4g} [{low:.4g}, {high:.4g}]")
    print(f"all comparisons: {record['verdict']}, in {record['seconds']} s")
    print(*(file.relative_to(records.ROOT) for file in files), sep="\n")
