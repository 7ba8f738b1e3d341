"""`aejax publish`: a run as a folder with a model card."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from aejax.runs.atomic_folders import new_folder
from aejax.runs.history import read_run_history
from aejax.runs.presentation import shown_with_train
from aejax.runs.published_run import published_files, write_published_run
from aejax.runs.run import Run, open_run, read_metrics
from aejax.training.records import Record

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

    from aejax.report import CaptionedFigure


@dataclass(frozen=True)
class Publish:
    """Write a run as a folder for others: parameters, settings, model card.

    Example: aejax publish runs/digits --out published --license apache-2.0

    Read the folder, complete README.md, then upload it with `aejax push`. It contains the settings,
    the versions of the software, and the names of the columns and classes of a table.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    license: str
    """licence of the parameters: an identifier such as apache-2.0, mit, cc-by-4.0 or other"""
    out: Path = Path("published")
    """output folder, which must not exist"""
    purpose: str | None = None
    """intended use and limits, for the card"""
    examples: bool = False
    """also include the figures of the report, which show test examples"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def publish(command: Publish) -> None:
    """Write the folder and print the names and sizes of its files."""
    from aejax.report.model_card import check_license, figure_file, model_card

    check_license(command.license)
    with new_folder(command.out) as folder:
        run = open_run(command.run, checkpoint=command.checkpoint)
        history = read_run_history(command.run)
        figures = _figures(run, history, examples=command.examples)
        card = model_card(
            run,
            history,
            read_metrics(command.run),
            license_name=command.license,
            purpose=command.purpose,
            figures=figures,
        )
        files = {figure_file(each): _png(each.figure) for each in figures}
        write_published_run(folder, run, command.run, card=card, figures=files)
    for name in published_files(command.out):
        print(f"{command.out / name}: {(command.out / name).stat().st_size:,} bytes")
    print(f"next: read {command.out / 'README.md'}, then aejax push {command.out} OWNER/NAME")


def _figures(run: Run, history: Sequence[Record], *, examples: bool) -> "list[CaptionedFigure]":
    from aejax.report.run_figures import learning_curves, run_figures

    if examples:
        shown, x_train = shown_with_train(run, None)
        return list(run_figures(run, shown, history, x_train))
    return [learning_curves(history)] if history else []


def _png(figure: "Figure | bytes") -> bytes:
    """PNG of a figure on white."""
    if isinstance(figure, bytes):
        return figure
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None}  # so that equal figures are equal files
    figure.savefig(
        buffer, format="png", dpi=150, bbox_inches="tight", facecolor="white", metadata=metadata
    )
    return buffer.getvalue()
