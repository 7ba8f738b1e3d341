"""`aejax report`: a run as one HTML page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from rich.console import Console

from aejax import plots, report
from aejax.cli.configuration import identity_of
from aejax.cli.files import write_text
from aejax.cli.history import read_history
from aejax.cli.run import (
    Examples,
    Run,
    about_file,
    history_file,
    load_examples,
    metrics_file,
    open_run,
    read_json,
)
from aejax.objective import forward, reconstruct
from aejax.types import Batch


@dataclass(frozen=True)
class Report:
    """Write a run as one self-contained HTML page: figures, settings, curves, environment.

    Example: aejax report runs/digits --out report.html
    """

    run: Annotated[Path, tyro.conf.Positional]
    """the run's folder"""
    out: Path | None = None
    """where the page goes; report.html in the run's folder unless given"""
    certificates: Path | None = None
    """a JSON file that `aejax verify` wrote, to show its certificates too"""
    checkpoint: int | None = None
    """step of the checkpoint; the best unless given"""


def write_report(command: Report) -> None:
    """Write the page as the command says; print where it lies."""
    run = open_run(command.run, checkpoint=command.checkpoint)
    history = read_history(history_file(command.run))
    about = read_json(about_file(command.run))
    metrics = metrics_file(command.run)
    page = report.run_page(
        title=f"An autoencoder of {run.configuration.data}",
        summary=_summary(run, read_json(metrics) if metrics.exists() else {}),
        figures=list(_illustrations(run, load_examples(run.configuration), history)),
        configuration=identity_of(run.configuration) | {"epochs": run.configuration.epochs},
        environment=about["environment"] | {"data fingerprint": about["fingerprint"]},
        history=history,
        certificates=_certificates(command.certificates),
    )
    out = command.run / "report.html" if command.out is None else command.out
    write_text(out, page)
    Console(highlight=False, soft_wrap=True).print(f"report: {out}")


def _summary(run: Run, metrics: dict[str, Any]) -> dict[str, float | str]:
    summary: dict[str, float | str] = {"step": str(run.step)}
    if "test_error" in metrics:
        summary["test reconstruction error"] = metrics["test_error"]
    if metrics.get("pca_test_error") is not None:
        summary[f"PCA with {metrics['code']} components"] = metrics["pca_test_error"]
    return summary


def _certificates(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error


def _illustrations(
    run: Run, examples: Examples, history: list[dict[str, Any]]
) -> Iterator[report.Illustration]:
    if history:
        yield report.Illustration(
            plots.learning_curves(history),
            "Learning curves",
            "Each term of the objective over the epochs, on train and validation examples.",
            "Curves of every term of the objective against the epoch.",
        )
    x = np.asarray(examples.test.x)
    code = np.asarray(run.objective.model.encode(run.params, examples.test.x))
    if _is_image(run.feature_shape):
        yield from _images(run, examples.test)
    if code.shape[1] > 1:
        yield report.Illustration(
            plots.code_map(code, examples.dataset.labels_test),
            "Codes",
            f"The codes of the {len(x)} test examples, in the plane where they vary most.",
            "Scatter of the codes of the test examples, coloured by class where there are classes.",
        )


def _images(run: Run, test: Batch) -> Iterator[report.Illustration]:
    record = forward(run.objective, run.params, test, jax.random.key(run.configuration.seed))
    x, x_hat = test.x, reconstruct(run.objective, run.params, record.x_corrupted)
    corrupted = None if run.objective.corruption is None else np.asarray(record.x_corrupted)
    yield report.Illustration(
        plots.reconstructions(np.asarray(x), np.asarray(x_hat), run.feature_shape, corrupted),
        "Reconstructions",
        "The first test examples, and what the autoencoder makes of them"
        + ("." if corrupted is None else " when it sees them corrupted, as in training."),
        "Rows of images: test examples above, their reconstructions below.",
    )
    yield report.Illustration(
        plots.filters(run.params["encoder"]["layer_0"]["kernel"], run.feature_shape),
        "Filters",
        "Kernels of the encoder's first layer, one image a unit.",
        "Grid of images of the first layer's kernels, positive and negative weights in two hues.",
    )


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
