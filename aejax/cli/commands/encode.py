"""`aejax encode` and `aejax reconstruct`: codes and reconstructions of new data."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from aejax.data import LazyArray, load_array
from aejax.data.array_checks import check_array
from aejax.data.image_folder import SUFFIXES as IMAGE_SUFFIXES
from aejax.data.image_folder import image_folder
from aejax.runs.array_files import check_destination, other_arrays, write_examples
from aejax.runs.inference import decoder, encoder
from aejax.runs.run import Run, open_run

STORED_PRECISION = 1e-5
"""Maximum rounding error, relative to the scale of the data, of reconstructions in float32."""


@dataclass(frozen=True)
class Encode:
    """Encode new data with a trained run and write the codes.

    Example: aejax encode runs/digits new.npy --out codes.npy
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """new data in the units of the train data: .npy, .npz or IDX file, or folder of images"""
    out: Path = Path("codes.npy")
    """output file: .npy or .npz, float32 [examples, code]; or .csv, one row per example"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


@dataclass(frozen=True)
class Reconstruct:
    """Reconstruct new data with a trained run; the output has the units of the train data.

    Example: aejax reconstruct runs/digits new.npy --out reconstructions.npy

    The values are float32, or float64 if rounding to float32 would change them noticeably.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """new data in the units of the train data: .npy, .npz or IDX file, or folder of images"""
    out: Path = Path("reconstructions.npy")
    """output file: .npy or .npz, shaped as the train examples; or .csv, one row per example"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def encode(command: Encode) -> None:
    """Write the codes of the data."""
    check_destination(command.out)
    run = open_run(command.run, checkpoint=command.checkpoint)
    _write(command, "code", encoder(run)(_examples(run, command.data)))


def reconstruct(command: Reconstruct) -> None:
    """Write the reconstructions of the data."""
    check_destination(command.out)
    run = open_run(command.run, checkpoint=command.checkpoint)
    codes = encoder(run)(_examples(run, command.data))
    _write(command, "x_hat", _stored(run, decoder(run)(codes)))


def _examples(run: Run, path: Path) -> np.ndarray | LazyArray:
    """Load the examples of a file, or open a folder of images, which are read in blocks."""
    if path.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir()):
        images = image_folder(path, run.configuration.image_mode)

        def finite(block: np.ndarray) -> np.ndarray:
            check_array(block, str(path))
            return block

        return images.map(finite, features=images.shape[1:], dtype=images.dtype)
    return load_array(path)


def _stored(run: Run, x_hat: np.ndarray) -> np.ndarray:
    """Reconstructions in float32, or unchanged if the rounding error is too large."""
    with np.errstate(over="ignore"):
        rounded = x_hat.astype(np.float32)
        error = np.abs(rounded - x_hat)
    return rounded if (error <= STORED_PRECISION * run.normalisation.scale).all() else x_hat


def _write(command: Encode | Reconstruct, name: str, array: np.ndarray) -> None:
    """Write an array and the other arrays of the data file; report those that cannot be stored."""
    left_out = write_examples(command.out, name, array, other_arrays(command.data))
    if left_out:
        print(
            f"aejax: left out of {command.out}: {', '.join(left_out)} of {command.data}; "
            "an .npz file keeps the arrays that have one entry per example",
            file=sys.stderr,
        )
    print(f"{command.out}: {array.dtype} {list(array.shape)}")
