"""`aejax encode` and `aejax reconstruct`: a run applied to new data."""

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
from aejax.runs.array_files import check_destination, companions, write_examples
from aejax.runs.inference import decoder, encoder
from aejax.runs.run import Run, open_run

STORED_PRECISION = 1e-5
"""Rounding error, in units of the data's scale, up to which reconstructions are float32."""


@dataclass(frozen=True)
class Encode:
    """Write the codes of new data.

    Example: aejax encode runs/digits new.npy --out codes.npy
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """the run's folder"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """.npy, .npz or IDX file of examples, or a folder of images, in the units of the train data"""
    out: Path = Path("codes.npy")
    """destination: .npy or .npz, float32 [examples, code]; or .csv, one row per example"""
    checkpoint: int | None = None
    """step of the checkpoint; the best unless given"""


@dataclass(frozen=True)
class Reconstruct:
    """Write the reconstructions of new data, in the units of the train data.

    Example: aejax reconstruct runs/digits new.npy --out reconstructions.npy
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """the run's folder"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """.npy, .npz or IDX file of examples, or a folder of images, in the units of the train data"""
    out: Path = Path("reconstructions.npy")
    """destination: .npy or .npz, shaped as the train examples; or .csv, one row per example. The
    values are float32, or float64 where float32 would lose what the model found"""
    checkpoint: int | None = None
    """step of the checkpoint; the best unless given"""


def encode(command: Encode) -> None:
    """Write the codes as the command says."""
    check_destination(command.out)
    run = open_run(command.run, checkpoint=command.checkpoint)
    _write(command, "code", encoder(run)(_examples(run, command.data)))


def reconstruct(command: Reconstruct) -> None:
    """Write the reconstructions as the command says."""
    check_destination(command.out)
    run = open_run(command.run, checkpoint=command.checkpoint)
    codes = encoder(run)(_examples(run, command.data))
    _write(command, "x_hat", _stored(run, decoder(run)(codes)))


def _examples(run: Run, path: Path) -> np.ndarray | LazyArray:
    """The examples of a file, or the images of a folder, which are read block by block."""
    if path.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir()):
        images = image_folder(path, run.configuration.image_mode)

        def finite(block: np.ndarray) -> np.ndarray:
            check_array(block, str(path))
            return block

        return images.map(finite, features=images.shape[1:], dtype=images.dtype)
    return load_array(path)


def _stored(run: Run, x_hat: np.ndarray) -> np.ndarray:
    """Reconstructions as float32, or as they are where float32 would round too much."""
    with np.errstate(over="ignore"):
        rounded = x_hat.astype(np.float32)
        error = np.abs(rounded - x_hat)
    return rounded if (error <= STORED_PRECISION * run.normalisation.scale).all() else x_hat


def _write(command: Encode | Reconstruct, name: str, array: np.ndarray) -> None:
    """Write the array with what the data file holds beside its examples; say what is left out."""
    left_out = write_examples(command.out, name, array, companions(command.data))
    if left_out:
        print(
            f"aejax: left out of {command.out}: {', '.join(left_out)} of {command.data}; "
            "an .npz file keeps what has one entry per example",
            file=sys.stderr,
        )
    print(f"{command.out}: {array.dtype} {list(array.shape)}")
