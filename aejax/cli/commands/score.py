"""`aejax score`: anomaly scores of new data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from aejax import runs
from aejax.cli.process.output import print_notes
from aejax.evaluation import AnomalyScores
from aejax.evaluation.anomaly import check_contamination
from aejax.runs.array_files import check_destination, join_columns, write_arrays, write_columns
from aejax.runs.inference import TrainedRun
from aejax.runs.new_data import NewData, load_new_data
from aejax.runs.presentation import check_comparable_output, train_inputs
from aejax.runs.scoring import column_errors, score, train_errors

LISTED = 5
"""Number of examples with the largest errors that are printed."""


@dataclass(frozen=True)
class Score:
    """Score new data by reconstruction error, to find anomalies.

    Example: aejax score runs/digits new.npy --out scores.csv

    Example: aejax score runs/table new.csv --contamination 0.05

    The columns are: error, the sum over features of (x̂ − x)² in normalised units; rank, the
    fraction of the training examples with at most this error; outlier, 1 if the error is above the
    quantile 1 − contamination of the training errors; for tables, largest, the column with the
    largest error, and the error of each column.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run, whose training data must still exist"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """new data in the units of the train data: .npy, .npz, .csv, .parquet or IDX file, image, or
    folder of images"""
    out: Path = Path("scores.csv")
    """output file: .csv, one row per example, after the label and the other columns of a table, or
    the name and the class of an image; or .npz, with the error of each feature"""
    contamination: float = 0.1
    """fraction of the training examples that are outliers, above 0 and at most 0.5"""
    train: Path | None = None
    """training examples of a run of aejax.runs.train, in the formats of DATA; None: the training
    data that the run names"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def write_scores(command: Score) -> None:
    """Write the scores of the data, and print the threshold and the largest errors."""
    _check(command)
    run = runs.open(command.run, checkpoint=command.checkpoint)
    check_comparable_output(run)
    data = load_new_data(run, command.data)
    print_notes(data.note)
    reference = train_errors(run, train_inputs(run, command.train))
    options = {"contamination": command.contamination, "weight": data.weight}
    scores = score(run, data.x, reference, **options)
    columns = _columns(run, data, scores)
    others = {name: array for name, array in data.others.items() if len(array) == len(data.x)}
    if command.out.suffix == ".csv":
        labels = {name: array for name, array in others.items() if array.ndim == 1}
        write_columns(command.out, join_columns(command.data, labels, columns))
    else:
        columns = {name: columns[name] for name in ("error", "rank", "outlier")}
        columns["feature_errors"] = scores.feature_errors
        write_arrays(command.out, join_columns(command.data, others, columns))
    _print(command, scores, columns, len(reference))


def _check(command: Score) -> None:
    """Refuse a destination or a contamination before any data are read."""
    check_destination(command.out, command.data)
    if command.out.suffix == ".npy":
        raise ValueError(f"out must end in .csv or .npz, got {command.out}")
    check_contamination(command.contamination)


def _columns(run: TrainedRun, data: NewData, scores: AnomalyScores) -> dict[str, np.ndarray]:
    """Columns of the scores; with those of each feature only for examples that are vectors."""
    columns = {
        "error": scores.error,
        "rank": scores.rank,
        "outlier": scores.is_outlier.astype(np.int64),
    }
    if scores.feature_errors.ndim > 2:
        return columns
    errors = column_errors(run.about.schema or data.schema, scores.feature_errors)
    largest = np.array(list(errors))[np.argmax(list(errors.values()), axis=0)]
    named = {f"error_{name}": error for name, error in errors.items()}
    return {**columns, "largest": largest, **named}


def _print(
    command: Score, scores: AnomalyScores, columns: dict[str, np.ndarray], reference: int
) -> None:
    print(
        f"threshold {scores.threshold:.4g}: the quantile {1 - command.contamination:g} of the "
        f"errors of {reference} training examples"
    )
    print(f"outliers: {int(scores.is_outlier.sum())} of {len(scores.error)}")
    print("largest errors, by the index of the row, counted from 0:")
    for row in np.argsort(-scores.error, kind="stable")[:LISTED]:
        largest = f", largest in {columns['largest'][row]}" if "largest" in columns else ""
        print(f"  row {row}: error {scores.error[row]:.4g}, rank {scores.rank[row]:.3f}{largest}")
    print(f"{command.out}: {len(scores.error)} examples")
