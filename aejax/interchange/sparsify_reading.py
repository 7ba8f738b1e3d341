"""Reader of directories of sparsify: `cfg.json` and `sae.safetensors`."""

from pathlib import Path

from jax.typing import DTypeLike

from aejax.interchange.stored_dictionaries import (
    Architecture,
    StoredDictionary,
    assembled,
    configured_choice,
    configured_count,
    read_configuration,
)
from aejax.interchange.stored_tensors import Shape, checked_values, safetensors_file

CONFIGURATION, WEIGHTS = "cfg.json", "sae.safetensors"
ACTIVATIONS = {"topk": "top_k", "groupmax": "group_max"}
DEFAULTS = {"activation": "topk", "expansion_factor": 32, "num_latents": 0, "k": 32}


def read_sparsify(folder: Path, *, dtype: DTypeLike | None = None) -> StoredDictionary:
    """Read a directory of sparsify.

    The output bias is subtracted from the input except in a transcoder.

    Args:
        folder: the directory.
        dtype: dtype of the parameters (default: that of the file).

    Returns:
        The dictionary.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if an entry of the configuration is invalid or not supported, or a tensor is
            missing, unknown, or has another shape than the configuration states.

    Source: Belrose 2024.
    """
    path, weights = folder / CONFIGURATION, folder / WEIGHTS
    configuration = DEFAULTS | read_configuration(path)
    if configuration.get("signed"):
        raise ValueError(f"{path}: signed codes, of an early version, are not supported")
    activation = configured_choice(path, configuration, "activation", ACTIVATIONS)
    features, k = (configured_count(path, configuration, name) for name in ("d_in", "k"))
    if configuration["num_latents"] == 0:
        units = features * configured_count(path, configuration, "expansion_factor")
    else:
        units = configured_count(path, configuration, "num_latents")
    if activation == "group_max" and units % k:
        raise ValueError(f"{path}: {units} units cannot be divided into k = {k} groups")
    shapes: dict[str, Shape] = {
        "encoder.weight": (units, features),
        "encoder.bias": (units,),
        "W_dec": (units, features),
        "b_dec": (features,),
    }
    if configuration.get("skip_connection"):
        shapes["W_skip"] = (features, features)
    values = checked_values(weights, safetensors_file(weights), shapes)
    values["W_enc"], values["b_enc"] = values.pop("encoder.weight").T, values.pop("encoder.bias")
    values = {name: value.astype(dtype or value.dtype) for name, value in values.items()}
    transcodes = bool(configuration.get("transcode"))
    architecture = Architecture(activation, k, not transcodes, transcodes)
    model, params = assembled(values, architecture)
    return StoredDictionary(model, params, "sparsify", activation, k, configuration=configuration)
