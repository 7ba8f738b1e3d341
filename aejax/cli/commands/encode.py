"""`aejax encode` and `aejax reconstruct`: codes and reconstructions of new data."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from aejax import runs
from aejax.cli.process.output import print_notes
from aejax.data.columns import from_features
from aejax.data.example_blocks import blocks
from aejax.runs.array_files import (
    SUFFIXES,
    check_destination,
    join_columns,
    write_columns,
    write_examples,
)
from aejax.runs.code_units import array_of
from aejax.runs.image_outputs import check_image_destination, write_images
from aejax.runs.inference import TrainedRun, decoder, encoder
from aejax.runs.new_data import NewData, are_images, load_new_data

STORED_PRECISION = 1e-5
"""Maximum rounding error, relative to the scale of the data, of reconstructions in float32."""


@dataclass(frozen=True)
class Encode:
    """Encode new data with a trained run and write the codes.

    The codes of a run with a quantiser are indices, integers; of a variational run they are the
    means of the posterior.

    Example: aejax encode runs/digits new.npy --out codes.npy

    Example: aejax encode runs/table new.csv --out codes.csv
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """new data in the units of the train data: .npy, .npz, .csv, .parquet or IDX file, image, or
    folder of images"""
    out: Path = Path("codes.npy")
    """output file: .npy or .npz, [examples, *code]; or .csv, one row per example, after the
    label and the other columns of a table, or the name and the class of an image"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


@dataclass(frozen=True)
class Reconstruct:
    """Reconstruct new data with a trained run; the output has the units of the train data.

    Example: aejax reconstruct runs/digits new.npy --out reconstructions.npy

    Example: aejax reconstruct runs/photographs photographs --out reconstructed

    The values are float32, or float64 if rounding to float32 would change them noticeably. Images
    have the depth of the data; values beyond its range are clipped.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """new data in the units of the train data: .npy, .npz, .csv, .parquet or IDX file, image, or
    folder of images"""
    out: Path = Path("reconstructions.npy")
    """output file: .npy or .npz, shaped as the train examples; or .csv, one row per example, with
    the columns of the data; for a folder of images, also a new folder, and for one image, .png"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def encode(command: Encode) -> None:
    """Write the codes of the data."""
    check_destination(command.out, command.data)
    run = _open(command)
    data = _load(run, command)
    codes = _one_array(command, array_of(encoder(run)(data.x)))
    if _has_names(data) and command.out.suffix == ".csv":
        units = {f"code_{i}": unit for i, unit in enumerate(codes.reshape(len(codes), -1).T)}
        _write_table(command, join_columns(command.data, data.others, units))
    else:
        _write(command, "code", codes, data)


def reconstruct(command: Reconstruct) -> None:
    """Write the reconstructions of the data."""
    if are_images(command.data):
        check_image_destination(command.out, command.data)
    else:
        check_destination(command.out, command.data)
    run = _open(command)
    data = _load(run, command)
    if data.files is not None and command.out.suffix not in SUFFIXES:
        _write_images(command, run, data)
        return
    x_hat = _stored(run, decoder(run)(encoder(run)(data.x)))
    schema = data.schema or run.about.schema
    if schema is not None and command.out.suffix == ".csv":
        columns = {**data.others, **from_features(schema.columns, x_hat.reshape(len(x_hat), -1))}
        order = data.columns or [column.name for column in schema.columns]
        _write_table(command, {name: columns[name] for name in order})
    else:
        _write(command, "x_hat", x_hat, data)


def _open(command: Encode | Reconstruct) -> TrainedRun:
    """Open the run; the factory of its objective may be in the working directory."""
    if "" not in sys.path:
        sys.path.insert(0, "")
    return runs.open(command.run, checkpoint=command.checkpoint)


def _load(run: TrainedRun, command: Encode | Reconstruct) -> NewData:
    """Load the data; say how they were converted."""
    data = load_new_data(run, command.data)
    print_notes(data.note)
    return data


def _has_names(data: NewData) -> bool:
    """Whether a table keeps what belongs to the examples: their other columns, or their files."""
    return data.schema is not None or data.files is not None


def _write_images(command: Reconstruct, run: TrainedRun, data: NewData) -> None:
    """Write reconstructions as images, block by block, and print their number."""
    encoded, decoded = encoder(run), decoder(run)
    x_hat = (decoded(encoded(block)) for _, block in blocks(data.x))
    count = write_images(command.out, data.others["file"].tolist(), x_hat, data.x.dtype)
    print(f"{command.out}: {count} images of {' x '.join(map(str, data.x.shape[1:]))}")


def _one_array(command: Encode, codes: Any) -> np.ndarray:
    """Return the codes; ValueError if they are a tree, as some objectives of users have."""
    if not isinstance(codes, np.ndarray):
        raise ValueError(
            f"the code of {command.run} is a tree of arrays, which no file of this command holds: "
            "use aejax.runs.encode in Python"
        )
    return codes


def _stored(run: TrainedRun, x_hat: np.ndarray) -> np.ndarray:
    """Reconstructions in float32, or unchanged if the rounding error is too large."""
    with np.errstate(over="ignore"):
        rounded = x_hat.astype(np.float32)
        error = np.abs(rounded - x_hat)
    is_raw = x_hat.shape[1:] == run.about.feature_shape  # not the output of an own objective
    scale = run.normalisation.scale if is_raw else 1.0
    return rounded if (error <= STORED_PRECISION * scale).all() else x_hat


def _write_table(command: Encode | Reconstruct, columns: dict[str, np.ndarray]) -> None:
    """Write named columns and print their number."""
    write_columns(command.out, columns)
    rows = len(next(iter(columns.values())))
    print(f"{command.out}: {rows} rows, {len(columns)} columns")


def _write(command: Encode | Reconstruct, name: str, array: np.ndarray, data: NewData) -> None:
    """Write an array and the other arrays of the data file; report those that cannot be stored."""
    left_out = write_examples(command.out, name, array, data.others)
    if left_out:
        table = command.out.with_suffix(".csv")
        advice = (
            f"a table keeps them: --out {shlex.quote(str(table))}"
            if _has_names(data) and table not in (command.out, command.data)
            else "an .npz file keeps the arrays that have one entry per example"
        )
        print_notes(f"left out of {command.out}: {', '.join(left_out)} of {command.data}; {advice}")
    print(f"{command.out}: {array.dtype} {list(array.shape)}")
