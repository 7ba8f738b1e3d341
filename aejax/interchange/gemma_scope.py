"""Reader of Gemma Scope: `params.npz` of Gemma 2, `params.safetensors` of Gemma 3.

All are JumpReLU dictionaries or transcoders, whose output bias is not subtracted from the input.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jax.typing import DTypeLike

from aejax.interchange.stored_dictionaries import (
    Architecture,
    StoredDictionary,
    assembled,
    read_configuration,
)
from aejax.interchange.stored_tensors import (
    Shape,
    StoredTensor,
    checked_values,
    matrix_shape,
    npz_file,
    safetensors_file,
)

READERS: dict[str, Callable[[Path], dict[str, StoredTensor]]] = {
    "params.safetensors": safetensors_file,
    "params.npz": npz_file,
}
CONFIGURATION = "config.json"
SKIP = "affine_skip_connection"


def read_gemma_scope(path: Path, *, dtype: DTypeLike | None = None) -> StoredDictionary:
    """Read a file of Gemma Scope, and the configuration beside it, if there is one.

    Args:
        path: the file. The decoder of a cross-layer transcoder has one matrix for each layer
            [units, layers, features]; they are added, as SAELens does.
        dtype: dtype of the parameters (default: that of the file).

    Returns:
        The dictionary. The one of embeddings in Gemma 2 is a function of embeddings times
        1 / √features, which the file does not state.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if the configuration is not one of JumpReLU, or a tensor is missing, unknown, or
            has a shape that does not fit.

    Source: Lieberum et al. 2024; McDougall et al. 2025.
    """
    configuration = _configuration(path.with_name(CONFIGURATION))
    tensors = {_name(name): each for name, each in READERS[path.name](path).items()}
    features, units = matrix_shape(path, tensors, "W_enc")
    across_layers = len(tensors["W_dec"].shape) == 3 if "W_dec" in tensors else False
    outputs = tensors["W_dec"].shape[-1] if "W_dec" in tensors else features
    rows = tensors["W_dec"].shape if across_layers else (units, outputs)
    shapes: dict[str, Shape] = {
        "W_enc": (features, units),
        "W_dec": (units, *rows[1:]),
        "b_enc": (units,),
        "b_dec": (outputs,),
        "threshold": (units,),
    }
    optional = {SKIP: (features, outputs), "scaling_factor": (units,)}
    values = checked_values(path, tensors, shapes, optional=optional)
    factor = values.pop("scaling_factor", np.ones(()))
    if not np.allclose(factor.astype(np.float64), 1):
        raise ValueError(f"{path} has a scaling_factor other than 1, whose use is not documented")
    if across_layers:
        rows = values["W_dec"]
        values["W_dec"] = rows.sum(axis=1, dtype=np.float64).astype(dtype or rows.dtype)
    if SKIP in values:
        values["W_skip"] = values.pop(SKIP).T
    values = {name: value.astype(dtype or value.dtype) for name, value in values.items()}
    transcodes = outputs != features or "W_skip" in values or across_layers
    architecture = Architecture("jump_relu", None, False, transcodes)
    model, params = assembled(values, architecture)
    return StoredDictionary(model, params, "Gemma Scope", "jump_relu", configuration=configuration)


def _configuration(path: Path) -> dict[str, Any]:
    configuration = read_configuration(path) if path.exists() else {}
    architecture = configuration.get("architecture", "jump_relu")
    if architecture != "jump_relu":
        raise ValueError(f"{path}: architecture must be jump_relu, got {architecture!r}")
    return configuration


def _name(name: str) -> str:
    """Name of a matrix with a capital letter, as in SAELens."""
    return f"W_{name[2:]}" if name.startswith("w_") else name
