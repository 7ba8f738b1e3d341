"""`aejax export`: parameters and compiled functions of a run for use without aejax."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from aejax import interchange
from aejax.runs.atomic_files import write_bytes, write_text
from aejax.runs.configuration import fixed_settings
from aejax.runs.exported_run import exported_parameters, write_exported_run
from aejax.runs.inference import decode_array, encode_array
from aejax.runs.integrity import read_identity
from aejax.runs.json_files import json_text
from aejax.runs.run import (
    Run,
    checkpoints_folder,
    configuration_file,
    open_run,
    parameters_file,
)

EXPORTED_PRECISION = 1e-4
"""Rounding error of raw float32 examples, relative to the scale of the data, that is reported."""


@dataclass(frozen=True)
class Export:
    """Export a run: parameters, and encode and decode as StableHLO.

    Example: aejax export runs/digits --out exported

    The files are parameters.safetensors, parameters.npz, encode.stablehlo, decode.stablehlo,
    description.json, and the configuration.json and about.json of the run.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    out: Path = Path("exported")
    """output folder; `aejax encode` and the other commands accept it in place of the run"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def export(command: Export) -> None:
    """Write the exported files and print their names and sizes."""
    _check_destination(command)
    run = open_run(command.run, checkpoint=command.checkpoint)
    command.out.mkdir(parents=True, exist_ok=True)
    raw = jax.ShapeDtypeStruct((1, *run.about.feature_shape), jnp.float32)
    code = jax.eval_shape(partial(encode_array, run), raw)
    functions = {
        "encode": (partial(encode_array, run), raw),
        "decode": (partial(decode_array, run), code),
    }
    for name, (function, like) in functions.items():
        data = interchange.serialise(function, like)
        write_bytes(command.out / f"{name}.stablehlo", data)
    description = _description(run, code)
    path = command.out / "parameters.npz"
    interchange.save_parameters(path, exported_parameters(run), description=description)
    write_text(command.out / "description.json", json_text(description))
    identity = read_identity(command.run)
    write_exported_run(command.out, run, identity=identity, description=description)
    lost = _lost_digits(run)
    if lost > EXPORTED_PRECISION:
        print(
            f"aejax: the data are so far from zero that float32 rounds them by {lost:.1g} of their "
            "range: the codes of the exported functions differ from those of aejax encode",
            file=sys.stderr,
        )
    for path in sorted(command.out.iterdir()):
        print(f"{path}: {path.stat().st_size:,} bytes")


def _check_destination(command: Export) -> None:
    """Refuse the folder of another run, since its settings would be overwritten."""
    out = command.out
    is_exported = parameters_file(out).exists() and not checkpoints_folder(out).exists()
    is_run = checkpoints_folder(out).exists() or configuration_file(out).exists()
    if is_run and not is_exported and out.resolve() != command.run.resolve():
        raise ValueError(f"{out} holds another run: choose another --out")


def _lost_digits(run: Run) -> float:
    """Maximum rounding error of raw float32 examples, relative to the normalisation's scale."""
    shift, scale = (np.abs(np.asarray(part, np.float64)) for part in run.normalisation)
    return float(np.max((shift + scale) / scale, initial=0)) * float(np.finfo(np.float32).eps) / 2


def _description(run: Run, code: jax.ShapeDtypeStruct) -> dict[str, Any]:
    """Contents of `description.json`: how to call the functions, and the origin of the run."""
    shape = ", ".join(map(str, run.about.feature_shape))
    width = ", ".join(map(str, code.shape[1:]))
    return {
        "encode": f"float32[batch, {shape}] in the units of the train data -> "
        f"{code.dtype}[batch, {width}]",
        "decode": f"{code.dtype}[batch, {width}] -> float32[batch, {shape}] in those units",
        "call": "from jax import export; "
        "export.deserialize(bytearray(open('encode.stablehlo', 'rb').read())).call(x)",
        "normalisation": "r = (x - shift) / scale, before the first layer",
        "kernels": "[inputs, outputs]: h = f(x @ kernel + bias)",
        "step": run.step,
        "configuration": fixed_settings(run.configuration),
        "environment": run.about.environment,
        "data_fingerprint": run.about.fingerprint,
    }
