"""`aejax report`: HTML report of a run, of a sweep, or of a folder of experiments."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from aejax import runs
from aejax.planning.plan_records import heading, report_rows
from aejax.runs.advice import longer_command
from aejax.runs.atomic_files import write_text
from aejax.runs.configuration import build_record
from aejax.runs.history import read_run_history
from aejax.runs.inference import TrainedRun
from aejax.runs.json_files import read_json
from aejax.runs.presentation import has_comparable_output, settings, shown_with_train, title
from aejax.runs.run import Run, metrics_file, read_metrics, sweep_file
from aejax.runs.sweeping import open_sweep
from aejax.theory import Certificate


@dataclass(frozen=True)
class Report:
    """Write a self-contained HTML report of a run: figures, settings, curves, environment.

    For the folder of a sweep, write its page: the table of all finished members, the curve of code
    sizes beside PCA, and parallel coordinates of the settings. For a folder of experiment results,
    write one page per experiment and an index.

    Example: aejax report runs/digits --out report.html

    Example: aejax report sweeps/digits

    Example: aejax report experiments/results --out pages
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run or sweep, or folder of experiment results, searched recursively"""
    out: Path | None = None
    """output file, or output folder of experiments; None: report.html, of a sweep sweep.html, or of
    experiments report/, in RUN"""
    certificates: Path | None = None
    """JSON file of `aejax verify` whose certificates are included"""
    plans: tuple[Path, ...] = ()
    """JSON files of `aejax plan --json` whose plans are included"""
    data: Path | None = None
    """examples to show, in the units of the train data: .npy, .npz, .csv, .parquet or IDX file, or
    folder of images; None: the test examples of the data that the run names"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def write_report(command: Report) -> None:
    """Write the report and print its path."""
    from aejax import report  # matplotlib is slow to import
    from aejax.report.dictionary_section import dictionary_sections
    from aejax.report.error_tables import error_tables
    from aejax.report.experiment_report import find_experiments, write_pages
    from aejax.report.quantisation_section import quantisation_sections
    from aejax.report.run_figures import run_figures
    from aejax.report.variational_section import variational_sections

    if sweep_file(command.run).exists():
        _write_sweep_page(command)
        return
    if found := find_experiments(command.run):
        index = write_pages(found, command.run / "report" if command.out is None else command.out)
        print(f"report: {index}, of {len(found)} experiments")
        return
    certificates, plans = _certificates(command.certificates), _plans(command.plans)
    run = runs.open(command.run, checkpoint=command.checkpoint)
    history = read_run_history(command.run)
    examples, x_train = shown_with_train(run, command.data)
    page = report.run_page(
        title=title(run),
        summary=_summary(run, command.run),
        figures=list(run_figures(run, examples, history, x_train)),
        configuration=settings(run),
        environment=run.about.environment | {"data fingerprint": run.about.fingerprint},
        history=history,
        certificates=certificates,
        commands=_commands(run, command.run),
        tables=error_tables(run, examples) | plans,
        sections=[
            section
            for describe in (dictionary_sections, quantisation_sections, variational_sections)
            for section in describe(run, examples)
        ],
    )
    out = command.run / "report.html" if command.out is None else command.out
    write_text(out, page)
    print(f"report: {out}")


def _write_sweep_page(command: Report) -> None:
    """Write the page of a sweep and print its path; ValueError for an option that is for runs."""
    from aejax.report.sweep_report import sweep_page  # matplotlib is slow to import

    for name in ("certificates", "plans", "data", "checkpoint"):
        if getattr(command, name) not in (None, ()):
            raise ValueError(
                f"--{name} is for a run, but {command.run} is a sweep: name one of the runs in "
                f"{command.run / 'runs'}"
            )
    found = open_sweep(command.run)
    out = command.run / "sweep.html" if command.out is None else command.out
    write_text(out, sweep_page(found))
    print(f"report: {out}, of {len(found.table)} members (each setting with each seed)")


def _summary(run: TrainedRun, folder: Path) -> dict[str, float | str]:
    """Step of the checkpoint, and the metrics if they were measured at this step."""
    summary: dict[str, float | str] = {"step": str(run.step)}
    metrics = read_metrics(folder)
    try:
        if metrics and metrics["step"] == run.step:
            summary |= _errors(metrics) if isinstance(run, Run) else _losses(metrics)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{metrics_file(folder)} is not what `aejax train` wrote: {error}"
        ) from error
    return summary


def _errors(metrics: dict[str, Any]) -> dict[str, float]:
    """Test errors of a run of the command and of PCA."""
    _check_metrics(metrics)
    found = {"test reconstruction error": metrics["test_error"]}
    if metrics["pca_test_error"] is not None:
        method = metrics.get("pca_method", "exact")  # runs of earlier versions
        exact = "" if method == "exact" else f" ({method})"
        components = metrics.get("pca_components", metrics["code"])
        same = ", as many as active units" if "active_units" in metrics else ""
        found[f"PCA with {components} components{same}{exact}"] = metrics["pca_test_error"]
    return found


def _losses(metrics: dict[str, Any]) -> dict[str, float]:
    """Losses of a run of `aejax.runs.train`."""
    parts = [part for part in ("validation", "test") if metrics[part]]
    found = {f"{part} loss": metrics[part]["loss"] for part in parts}
    if not all(isinstance(loss, float) for loss in found.values()):
        raise TypeError(f"a loss cannot be {found!r}")
    return found


def _check_metrics(metrics: dict[str, Any]) -> None:
    """Raise TypeError for a metric of another type."""
    kinds = {"test_error": float, "pca_test_error": float | None, "code": int}
    for name, kind in kinds.items():
        if not isinstance(metrics[name], kind):
            raise TypeError(f"{name} cannot be {metrics[name]!r}")


def _commands(run: TrainedRun, folder: Path) -> dict[str, str]:
    """Further commands for the run, by purpose, for the current directory."""
    name = shlex.quote(str(folder))
    kind = "npy" if run.about.schema is None else "csv"
    data, train = (
        ("", "") if isinstance(run, Run) else (f" --data new.{kind}", " --train train.npy")
    )
    commands = {
        "explore it": f"aejax explore {name}{data}",
        "encode new data": f"aejax encode {name} new.{kind} --out codes.{kind}",
        "reconstruct new data": (
            f"aejax reconstruct {name} new.{kind} --out reconstructions.{kind}"
        ),
        "export it for use without aejax": f"aejax export {name} --out exported",
    }
    if has_comparable_output(run):
        commands["find anomalies"] = f"aejax score {name} new.{kind}{train} --out scores.csv"
    if isinstance(run, Run):
        commands["train it longer"] = longer_command(run.configuration, folder, "MORE")
        commands["repeat it bit-identically"] = f"aejax train --from {name} --out ANOTHER"
    return commands


def _certificates(path: Path | None) -> list[Certificate]:
    """Read the certificates of `aejax verify --json`."""
    if path is None:
        return []
    found = read_json(path)
    try:
        if not isinstance(found, list):
            raise TypeError("it is not a list")
        return [_certificate(fields) for fields in found]
    # Missing or additional fields, fields of another type, or integers beyond the range of floats.
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} is not what `aejax verify --json` wrote: {error}") from error


def _certificate(fields: Any) -> Certificate:
    if not isinstance(fields, dict):
        raise TypeError("a certificate must be an object")
    certificate = build_record(Certificate, fields)
    for name in ("residual", "tolerance", "control"):
        value = fields[name]
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} cannot be {value!r}")
    return certificate


def _plans(paths: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Read plans of `aejax plan --json`, as tables by their titles."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        for name, rows in _plans_of(path):
            found[f"{name}, {path.name}" if name in found else name] = rows
    return found


def _plans_of(path: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """Read one plan, or those of a search."""
    found = read_json(path)
    try:
        records = [each["plan"] for each in found] if isinstance(found, list) else [found]
        return [(f"Plan (predicted) for {heading(each)}", report_rows(each)) for each in records]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not what `aejax plan --json` wrote: {error!r}") from error
