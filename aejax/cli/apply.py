"""`aejax encode` and `aejax reconstruct`: a run applied to new data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro

from aejax.cli.files import write_array
from aejax.cli.run import Run, new_examples, open_run
from aejax.data import denormalise, load_array
from aejax.objective import reconstruct as reconstruct_batch
from aejax.types import Array

EXAMPLES_AT_ONCE = 4096  # bounds the memory that new data take, whatever their number


@dataclass(frozen=True)
class Encode:
    """Write the codes of new data.

    Example: aejax encode runs/digits new.npy --out codes.npy
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """the run's folder"""
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """.npy, .npz or IDX file of examples, in the units of the train data"""
    out: Path = Path("codes.npy")
    """where the codes go, float32 [examples, code]"""
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
    """.npy, .npz or IDX file of examples, in the units of the train data"""
    out: Path = Path("reconstructions.npy")
    """where the reconstructions go, float32, shaped as the train examples"""
    checkpoint: int | None = None
    """step of the checkpoint; the best unless given"""


def encode(command: Encode) -> None:
    """Write the codes as the command says."""
    run = open_run(command.run, checkpoint=command.checkpoint)
    codes = _map(run, command.data, lambda x: run.objective.model.encode(run.params, x))
    _write(command.out, codes)


def reconstruct(command: Reconstruct) -> None:
    """Write the reconstructions as the command says."""
    run = open_run(command.run, checkpoint=command.checkpoint)
    x_hat = _map(run, command.data, lambda x: reconstruct_batch(run.objective, run.params, x))
    x_hat = denormalise(run.normalisation, x_hat.reshape(-1, *run.about.feature_shape))
    _write(command.out, np.asarray(x_hat))


def _map(run: Run, data: Path, function: Callable[[Array], Array]) -> np.ndarray:
    x, compiled = load_array(data), jax.jit(function)
    starts = range(0, len(x), EXAMPLES_AT_ONCE)
    return np.concatenate(
        [np.asarray(compiled(new_examples(run, x[i : i + EXAMPLES_AT_ONCE]))) for i in starts]
    )


def _write(path: Path, array: np.ndarray) -> None:
    write_array(path, array)
    print(f"{path}: {array.dtype} {list(array.shape)}")
