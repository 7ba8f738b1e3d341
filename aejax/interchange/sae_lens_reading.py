"""Reader of directories of SAELens: `cfg.json` and `sae_weights.safetensors`, of any version.

Directories of versions before 6 sometimes have a factor for each unit. Those saved during training
have decoder norms, which scale the code, and the threshold of BatchTopK. All are folded here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from aejax.data.normalisation import Normalisation
from aejax.interchange.sae_lens_configuration import (
    DTYPES,
    FAMILIES,
    NORMALISATIONS,
    SELECTIONS,
    Family,
    current_layout,
)
from aejax.interchange.stored_dictionaries import (
    Architecture,
    StoredDictionary,
    as_array,
    assembled,
    configured_choice,
    configured_count,
    read_configuration,
)
from aejax.interchange.stored_tensors import Shape, Tensors, checked_values, safetensors_file
from aejax.models.example_normalisation import normalised_examples
from aejax.models.folding import fold_linear_map, fold_normalisation
from aejax.models.matching_pursuit import matching_pursuit
from aejax.types import Autoencoder, Params

CONFIGURATION, WEIGHTS = "cfg.json", "sae_weights.safetensors"
SCALER, WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
PROVIDER = "SAELens"


def read_sae_lens(folder: Path, *, dtype: DTypeLike | None = None) -> StoredDictionary:
    """Read a directory of SAELens.

    Args:
        folder: the directory.
        dtype: dtype of the parameters (default: that of the configuration).

    Returns:
        The dictionary.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if an entry of the configuration is invalid or not supported, or a tensor is
            missing, unknown, or has another shape than the configuration states.

    Source: Bloom et al. 2024.
    """
    path, weights = folder / CONFIGURATION, folder / WEIGHTS
    configuration = current_layout(path, read_configuration(path))
    family = configured_choice(path, configuration, "architecture", FAMILIES)
    by = configured_choice(path, configuration, "normalize_activations", NORMALISATIONS)
    stored_dtype = configured_choice(path, configuration, "dtype", DTYPES)
    architecture = _architecture(path, configuration, family)
    if by and family.transcoder:
        raise ValueError(f"{path}: examples of a transcoder cannot be normalised one by one")
    values = _values(weights, path, configuration, family)
    values = {name: value.astype(dtype or stored_dtype) for name, value in values.items()}
    if family.activation == "matching_pursuit":
        model, params, k = _matching_pursuit(path, configuration, values, architecture.centred)
        architecture = architecture._replace(k=k)
    else:
        model, params = assembled(values, architecture)
    if by:
        model = normalised_examples(model, by=by)
    params, normalisation = _with_companions(folder, configuration, params)
    return StoredDictionary(
        model,
        params,
        PROVIDER,
        architecture.activation,
        architecture.k,
        normalisation,
        configuration,
    )


def _architecture(path: Path, configuration: Mapping[str, Any], family: Family) -> Architecture:
    centred = configuration.get("apply_b_dec_to_input", not family.transcoder)
    if not isinstance(centred, bool) or (centred and family.transcoder):
        expected = "false for a transcoder" if family.transcoder else "true or false"
        raise ValueError(f"{path}: apply_b_dec_to_input must be {expected}, got {centred!r}")
    k = None
    if family.activation in SELECTIONS:
        k = configured_count(path, configuration, "k")
    return Architecture(family.activation, k, centred, family.transcoder)


def _values(
    weights: Path, path: Path, configuration: Mapping[str, Any], family: Family
) -> dict[str, np.ndarray]:
    """Weights with the names of SAELens, as a file for inference has them."""
    tensors = safetensors_file(weights)
    features, units = (configured_count(path, configuration, name) for name in ("d_in", "d_sae"))
    outputs = configured_count(path, configuration, "d_out") if family.transcoder else features
    shapes = _shapes(tensors, family, features, units, outputs)
    values = checked_values(weights, tensors, shapes, optional={"scaling_factor": (units,)})
    if "log_threshold" in values:
        values["threshold"] = np.exp(values.pop("log_threshold"))
    rescale = configuration.get("rescale_acts_by_decoder_norm", False)
    if not isinstance(rescale, bool):
        raise ValueError(f"{path}: rescale_acts_by_decoder_norm must be a bool, got {rescale!r}")
    if rescale and "topk" in configuration["architecture"]:
        values = _fold_norms(values)
    if "topk_threshold" in values:
        values["threshold"] = np.full(units, values.pop("topk_threshold"))
    return _fold_factors(weights, configuration, values)


def _shapes(
    tensors: Tensors, family: Family, features: int, units: int, outputs: int
) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"W_dec": (units, outputs), "b_dec": (outputs,)}
    if family.activation == "matching_pursuit":
        return shapes
    shapes |= {"W_enc": (features, units)}
    if family.activation == "gated":
        return shapes | {"b_gate": (units,), "b_mag": (units,), "r_mag": (units,)}
    shapes |= {"b_enc": (units,)}
    if family.skip:
        shapes |= {"W_skip": (outputs, features)}
    if family.activation == "jump_relu":
        others = [name for name in ("log_threshold", "topk_threshold") if name in tensors]
        name = others[0] if others and "threshold" not in tensors else "threshold"
        shapes |= {name: () if name == "topk_threshold" else (units,)}
    return shapes


def _fold_norms(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Directions of norm 1, and units times the former norms, by which TopK compares them."""
    rows = values["W_dec"].astype(np.float64)
    norms = np.linalg.norm(rows, axis=1)
    norms = np.where(norms > 0, norms, 1)
    folded = {name: values[name] * norms for name in ("W_enc", "b_enc")}
    return {**values, **folded, "W_dec": rows / norms[:, None]}


def _fold_factors(
    weights: Path, configuration: Mapping[str, Any], values: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Directions times the factor of their unit, which versions before 6 could fine-tune."""
    factor = values.pop("scaling_factor", None)
    if factor is None or np.allclose(factor.astype(np.float64), 1):
        return values
    if not configuration.get("finetuning_scaling_factor", False):
        raise ValueError(
            f"{weights} has a scaling_factor, but finetuning_scaling_factor of its configuration "
            "is not true"
        )
    return values | {"W_dec": values["W_dec"] * factor[:, None]}


def _matching_pursuit(
    path: Path, configuration: Mapping[str, Any], values: dict[str, np.ndarray], centred: bool
) -> tuple[Autoencoder, Params, int]:
    """Model and parameters of matching pursuit, and its number of steps.

    The output bias is used on both sides or on none.
    """
    units, features = values["W_dec"].shape
    k = features
    if configuration.get("max_iterations") is not None:
        k = configured_count(path, configuration, "max_iterations")
    tolerance = configuration.get("residual_threshold", 0.01)
    stop = configuration.get("stop_on_duplicate_support", True)
    if not isinstance(tolerance, int | float) or not tolerance >= 0 or not isinstance(stop, bool):
        raise ValueError(
            f"{path}: residual_threshold must be 0 or more and stop_on_duplicate_support true or "
            f"false, got {tolerance!r} and {stop!r}"
        )
    rows = as_array(values["W_dec"])
    model = matching_pursuit(
        features,
        units,
        k=k,
        tolerance=tolerance,
        stop_at_repetition=stop,
        unit_directions=False,
        dtype=rows.dtype,
    )
    bias = as_array(values["b_dec"])
    bias = bias if centred else jnp.zeros_like(bias)
    return model, {"decoder": {"kernel": rows}, "centre": {"bias": bias}}, k


def _with_companions(
    folder: Path, configuration: Mapping[str, Any], params: Params
) -> tuple[Params, str]:
    """Parameters for raw inputs, if the files of a checkpoint state the normalisation."""
    normalisation = configuration["normalize_activations"]
    if "encoder" not in params:
        return params, "none" if NORMALISATIONS[normalisation] else normalisation
    if normalisation == "expected_average_only_in" and (folder / SCALER).exists():
        factor = read_configuration(folder / SCALER).get("scaling_factor")
        if isinstance(factor, float) and 0 < factor < np.inf:
            scaling = Normalisation(np.zeros(()), np.asarray(1 / factor))
            return fold_normalisation(params, scaling), "none"
    if normalisation == "covariance_whitening" and (folder / WHITENING).exists():
        features = params["encoder"]["kernel"].shape[0]
        shapes = {
            "mean": (features,),
            **dict.fromkeys(("matrix", "inverse_matrix"), (features,) * 2),
        }
        path = folder / WHITENING
        stored = checked_values(path, safetensors_file(path), shapes)
        mean, matrix, inverse = (as_array(stored[name]) for name in shapes)
        return fold_linear_map(params, mean, matrix, inverse), "none"
    in_model = NORMALISATIONS[normalisation] is not None
    return params, "none" if in_model else normalisation
