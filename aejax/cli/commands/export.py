"""`aejax export`: parameters and compiled functions of a run for use without aejax."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from aejax import interchange, runs
from aejax.layers.codebooks import Quantised
from aejax.runs.atomic_files import write_bytes, write_text
from aejax.runs.code_units import array_of, code_like, from_units, has_units, to_units
from aejax.runs.exported_run import exported_parameters, write_exported_run
from aejax.runs.inference import TrainedRun, decode_array, encode_array
from aejax.runs.integrity import read_identity
from aejax.runs.json_files import json_text
from aejax.runs.presentation import settings
from aejax.runs.run import (
    Run,
    checkpoints_folder,
    configuration_file,
    objective_file,
    parameters_file,
)

EXPORTED_PRECISION = 1e-4
"""Rounding error of raw float32 examples, relative to the scale of the data, that is reported."""


@dataclass(frozen=True)
class Export:
    """Export a run: parameters, and encode and decode as StableHLO.

    Example: aejax export runs/digits --out exported

    The files are parameters.safetensors, parameters.npz, encode.stablehlo, decode.stablehlo,
    description.json, and the configuration.json and about.json of a run of aejax train. Parameters
    that are no nested dict, such as an Equinox module, are named by their paths. A code that is a
    tree of arrays becomes one array, [batch, units], and a discrete code its indices.
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """folder of the run"""
    out: Path = Path("exported")
    """output folder; the other commands accept it in place of a run of aejax train"""
    checkpoint: int | None = None
    """step of the checkpoint; None: the best checkpoint"""


def export(command: Export) -> None:
    """Write the exported files and print their names and sizes."""
    _check_destination(command)
    run = runs.open(command.run, checkpoint=command.checkpoint)
    parameters = exported_parameters(run)
    raw = jax.ShapeDtypeStruct((1, *run.about.feature_shape), jnp.float32)
    encode, decode = _functions(run)
    code = jax.eval_shape(encode, raw)
    functions = {"encode": (encode, raw), "decode": (decode, code)}
    serialised = {name: interchange.serialise(*each) for name, each in functions.items()}
    command.out.mkdir(parents=True, exist_ok=True)
    for name, data in serialised.items():
        write_bytes(command.out / f"{name}.stablehlo", data)
    description = _description(run, code, jax.eval_shape(decode, code))
    interchange.save_parameters(command.out / "parameters.npz", parameters, description=description)
    write_text(command.out / "description.json", json_text(description))
    if isinstance(run, Run):
        identity = read_identity(command.run)
        write_exported_run(command.out, run, identity=identity, description=description)
    else:
        path = parameters_file(command.out)
        interchange.save_parameters(path, parameters, description=description)
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
    kinds = (checkpoints_folder(out), configuration_file(out), objective_file(out))
    is_run = any(path.exists() for path in kinds)
    if is_run and not is_exported and out.resolve() != command.run.resolve():
        raise ValueError(f"{out} holds another run: choose another --out")


def _functions(run: TrainedRun) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Encoder and decoder of raw examples, with one array as code."""
    encode, decode = partial(encode_array, run), partial(decode_array, run)
    like = code_like(run)
    if isinstance(like, jax.ShapeDtypeStruct):
        return encode, decode
    if isinstance(like, Quantised):
        return lambda x: array_of(encode(x)), decode
    if not has_units(like):
        raise ValueError(
            "the code contains integers, such as pooling indices, which the exported functions "
            "cannot exchange as one array: use aejax.interchange.serialise in Python"
        )
    return lambda x: to_units(encode(x)), lambda units: decode(from_units(units, like))


def _lost_digits(run: TrainedRun) -> float:
    """Maximum rounding error of raw float32 examples, relative to the normalisation's scale."""
    shift, scale = (np.abs(np.asarray(part, np.float64)) for part in run.normalisation)
    return float(np.max((shift + scale) / scale, initial=0)) * float(np.finfo(np.float32).eps) / 2


def _description(run: TrainedRun, code: Any, x_hat: Any) -> dict[str, Any]:
    """Contents of `description.json`: how to call the functions, and the origin of the run."""
    shape, width, output = (
        ", ".join(map(str, sizes))
        for sizes in (run.about.feature_shape, code.shape[1:], x_hat.shape[1:])
    )
    origin = settings(run)
    layers = {"kernels": "[inputs, outputs]: h = f(x @ kernel + bias)"}
    if origin.get("linear_path"):
        layers["linear"] = (
            "path of each half beside its layers: encode(r) = r @ kernel + bias + layers(r), "
            "decode(h) = h @ kernel + bias + layers(h)"
        )
    return {
        "encode": f"float32[batch, {shape}] in the units of the train data -> "
        f"{code.dtype}[batch, {width}]",
        "decode": f"{code.dtype}[batch, {width}] -> {x_hat.dtype}[batch, {output}] in those units",
        "call": "from jax import export; "
        "export.deserialize(bytearray(open('encode.stablehlo', 'rb').read())).call(x)",
        "normalisation": "r = (x - shift) / scale, before the first layer",
        **layers,
        "step": run.step,
        "configuration": origin,
        "environment": run.about.environment,
        "data_fingerprint": run.about.fingerprint,
    }
