"""Writer of directories of SAELens, in the layout of its version 6."""

import json
import os
import shutil
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from aejax.interchange.sae_lens_configuration import FAMILIES, SELECTIONS, Family
from aejax.interchange.sae_lens_reading import CONFIGURATION, WEIGHTS
from aejax.layers.dictionary_layers import output_bias
from aejax.types import Params

LAYOUT_VERSION = "6.0.0"
DTYPES = ("float16", "bfloat16", "float32", "float64")


def write_dictionary(
    folder: str | PathLike[str],
    params: Params,
    *,
    activation: str,
    k: int | None = None,
    transcoder: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a dictionary as a directory of SAELens, which appears only when it is complete.

    Args:
        folder: destination, which must not exist.
        params: parameters of a `dictionary` or `transcoder` of raw inputs; fold a normalisation
            first (`models.fold_normalisation`).
        activation: "relu", "top_k", "absolute_top_k", "jump_relu", "gated" or, with directions of
            norm 1, "matching_pursuit". A dictionary of `batch_top_k` is one of "jump_relu" when its
            threshold is calibrated (`training.calibrate_threshold`).
        k: number of active units of "top_k" and "absolute_top_k", or of steps of
            "matching_pursuit".
        transcoder: whether the output is another layer than the input. It is, if the parameters
            have a skip connection or another number of outputs.
        metadata: JSON-serialisable entries for readers, such as "model_name" and "hook_name".

    Raises:
        FileExistsError: if the destination exists.
        ValueError: if the parameters do not fit the activation, SAELens has no such architecture,
            or the metadata is not JSON.
        OSError: if writing fails.

    Source: Bloom et al. 2024.

    Example:
        >>> import tempfile, aejax, jax
        >>> model = aejax.dictionary(4, 8, activation=aejax.top_k_relu(k=2))
        >>> params = model.init(jax.random.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     aejax.interchange.write_dictionary(
        ...         f"{folder}/sae", params, activation="top_k", k=2
        ...     )
        ...     stored = aejax.interchange.read_dictionary(f"{folder}/sae")
        >>> stored.activation, stored.k, stored.params["encoder"]["kernel"].shape
        ('top_k', 2, (4, 8))
    """
    folder = Path(folder)
    values = _values(params, activation)
    units, outputs = values["W_dec"].shape
    features = len(values["W_enc"]) if "W_enc" in values else outputs
    skip = "W_skip" in values
    transcoder = transcoder or skip or outputs != features
    configuration = {
        "architecture": _architecture(Family(activation, transcoder, skip)),
        "d_in": features,
        "d_sae": units,
        "dtype": _dtype(values),
        "device": "cpu",
        "apply_b_dec_to_input": "centre" in params,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": LAYOUT_VERSION, **(metadata or {})},
    }
    if transcoder and "centre" in params:
        raise ValueError("the output bias of a transcoder is not subtracted from its input")
    configuration |= {"d_out": outputs} if transcoder else {}
    configuration |= _selection(activation, k, units)
    try:
        text = json.dumps(configuration, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the metadata is not JSON: {error}") from error
    _write(folder, values, text)


def _selection(activation: str, k: int | None, units: int) -> dict[str, Any]:
    """Entries of the configuration about the selection of units."""
    selects = activation in SELECTIONS or activation == "matching_pursuit"
    if selects != (k is not None) or (k is not None and not 1 <= k <= units):
        raise ValueError(f"{activation!r} does not fit k = {k} with {units} units")
    if activation == "matching_pursuit":
        stops = {"residual_threshold": 0.0, "stop_on_duplicate_support": False}
        return {"max_iterations": k, **stops}
    return {"k": k, "rescale_acts_by_decoder_norm": False} if selects else {}


def _values(params: Params, activation: str) -> dict[str, np.ndarray]:
    """Tensors with the names of SAELens."""
    if activation == "matching_pursuit" and "encoder" not in params:
        rows = np.asarray(params["decoder"]["kernel"], order="C")
        values = {"W_dec": rows, "b_dec": np.asarray(params["centre"]["bias"])}
        _check_values(values)
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
        if not np.allclose(norms, 1, atol=1e-3):
            raise ValueError(
                "directions of matching pursuit must have norm 1, got norms from "
                f"{norms.min():.4g} to {norms.max():.4g}: train with training.unit_norm"
            )
        return values
    encoder = params["encoder"]
    biases = {"bias": "b_enc"}
    if activation == "gated":
        biases = {"bias": "b_gate", "log_scale": "r_mag", "magnitude_bias": "b_mag"}
    if activation == "jump_relu":
        biases |= {"threshold": "threshold"}
    if encoder.keys() != biases.keys() | {"kernel"}:
        raise ValueError(
            f"{activation!r} needs {', '.join(['kernel', *biases])} of the encoder, got "
            f"{', '.join(encoder)}"
        )
    found = {"W_enc": encoder["kernel"], "W_dec": params["decoder"]["kernel"]}
    found |= {stored: encoder[name] for name, stored in biases.items()}
    found |= {"b_dec": output_bias(params)}
    if "skip" in params:
        found |= {"W_skip": params["skip"]["kernel"].T}
    values = {name: np.asarray(value, order="C") for name, value in found.items()}
    _check_values(values)
    return values


def _check_values(values: Mapping[str, np.ndarray]) -> None:
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} has NaN or infinity")
    if (values.get("threshold", np.zeros(1)) < 0).any():
        raise ValueError("a threshold is negative: train with training.non_negative")


def _architecture(family: Family) -> str:
    for name, known in FAMILIES.items():
        if known == family and "batchtopk" not in name:
            return name
    other = "transcoder" if family.transcoder else "dictionary"
    raise ValueError(f"SAELens has no {other} with {family.activation!r}, of its architectures")


def _dtype(values: Mapping[str, np.ndarray]) -> str:
    found = {value.dtype.name for value in values.values()}
    if len(found) != 1 or not found < {*DTYPES}:
        raise ValueError(f"parameters must have one floating dtype, got {', '.join(sorted(found))}")
    return found.pop()


def _write(folder: Path, values: dict[str, np.ndarray], text: str) -> None:
    from safetensors.numpy import save_file  # imported only if needed

    if folder.exists():
        raise FileExistsError(f"{folder} exists; choose another folder, or delete it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        save_file(values, partial / WEIGHTS)
        (partial / CONFIGURATION).write_text(text + "\n", encoding="utf-8")
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
