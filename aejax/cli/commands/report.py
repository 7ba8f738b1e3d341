"""`aejax report`: a run as one HTML page, or experiments as a page each and an index."""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from aejax.runs.atomic_files import write_text
from aejax.runs.configuration import identity_of, made
from aejax.runs.examples import load_seen_examples
from aejax.runs.history import read_run_history
from aejax.runs.json_files import read_json
from aejax.runs.run import Run, metrics_file, open_run, read_metrics
from aejax.theory import Certificate


@dataclass(frozen=True)
class Report:
    """Write a run as one self-contained HTML page: figures, settings, curves, environment.

    Of a folder of experiments' results it writes one page an experiment, and an index of them all.

    Example: aejax report runs/digits --out report.html

    Example: aejax report experiments/results --out pages
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """the run's folder, or a folder of experiments' results, however deep they lie"""
    out: Path | None = None
    """where the page goes; report.html in the run's folder unless given. Of experiments, the
    folder where the pages go; report/ in theirs unless given"""
    certificates: Path | None = None
    """a JSON file that `aejax verify` wrote, to show its certificates too"""
    checkpoint: int | None = None
    """step of the checkpoint; the best unless given"""


def write_report(command: Report) -> None:
    """Write the page as the command says; print where it lies."""
    from aejax import report  # here with its figures: matplotlib is slow to import
    from aejax.report.experiment_report import find_experiments, write_pages
    from aejax.report.run_figures import run_figures

    if found := find_experiments(command.run):
        index = write_pages(found, command.run / "report" if command.out is None else command.out)
        print(f"report: {index}, of {len(found)} experiments")
        return
    certificates = _certificates(command.certificates)
    run = open_run(command.run, checkpoint=command.checkpoint)
    history = read_run_history(command.run)
    examples = load_seen_examples(run)
    page = report.run_page(
        title=f"An autoencoder of {run.configuration.data}",
        summary=_summary(run, command.run),
        figures=list(run_figures(run, examples, history)),
        configuration=identity_of(run.configuration) | {"epochs": run.configuration.epochs},
        environment=run.about.environment | {"data fingerprint": run.about.fingerprint},
        history=history,
        certificates=certificates,
        commands=_commands(command.run),
    )
    out = command.run / "report.html" if command.out is None else command.out
    write_text(out, page)
    print(f"report: {out}")


def _summary(run: Run, folder: Path) -> dict[str, float | str]:
    """The run's figures, where the checkpoint shown is the one that they were measured on."""
    summary: dict[str, float | str] = {"step": str(run.step)}
    metrics = read_metrics(folder)
    try:
        if metrics and metrics["step"] == run.step:
            _check_figures(metrics)
            summary["test reconstruction error"] = metrics["test_error"]
            if metrics["pca_test_error"] is not None:
                method = metrics.get("pca_method", "exact")  # runs before it was said
                exact = "" if method == "exact" else f" ({method})"
                name = f"PCA with {metrics['code']} components{exact}"
                summary[name] = metrics["pca_test_error"]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{metrics_file(folder)} is not what `aejax train` wrote: {error}"
        ) from error
    return summary


def _check_figures(metrics: dict[str, Any]) -> None:
    kinds = {"test_error": float, "pca_test_error": float | None, "code": int}
    for name, kind in kinds.items():
        if not isinstance(metrics[name], kind):
            raise TypeError(f"{name} cannot be {metrics[name]!r}")


def _commands(run: Path) -> dict[str, str]:
    """What can be done with a run, as commands in the folder where the report was written."""
    name = shlex.quote(str(run))
    return {
        "look into it": f"aejax explore {name}",
        "codes of new data": f"aejax encode {name} new.npy --out codes.npy",
        "reconstructions of new data": f"aejax reconstruct {name} new.npy --out found.npy",
        "for programs without aejax": f"aejax export {name} --out exported",
        "go on training": f"aejax train --resume --out {name} --epochs MORE",
        "repeat it to the bit": f"aejax train --from {name} --out ANOTHER",
    }


def _certificates(path: Path | None) -> list[Certificate]:
    if path is None:
        return []
    found = read_json(path)
    try:
        if not isinstance(found, list):
            raise TypeError("it holds no list")
        return [_certificate(fields) for fields in found]
    # Of fields too few, too many, of another type, or beyond every float.
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} is not what `aejax verify --json` wrote: {error}") from error


def _certificate(fields: Any) -> Certificate:
    if not isinstance(fields, dict):
        raise TypeError("a certificate is an object")
    certificate = made(Certificate, fields)
    for name in ("residual", "tolerance", "control"):
        value = fields[name]
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} cannot be {value!r}")
    return certificate
