"""Reader of directories of dictionary_learning: `config.json` and `ae.pt`, without PyTorch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jax.typing import DTypeLike

from aejax.interchange.stored_dictionaries import (
    Architecture,
    StoredDictionary,
    assembled,
    configured_choice,
    configured_count,
    read_configuration,
)
from aejax.interchange.stored_tensors import Shape, StoredTensor, Tensors, checked_values
from aejax.interchange.torch_archives import torch_file

CONFIGURATION, WEIGHTS = "config.json", "ae.pt"
ARCHITECTURES = {
    "AutoEncoder": Architecture("relu"),
    "AutoEncoderNew": Architecture("relu", centred=False),
    "AutoEncoderTopK": Architecture("top_k"),
    "BatchTopKSAE": Architecture("batch_top_k"),
    "MatryoshkaBatchTopKSAE": Architecture("batch_top_k"),
    "GatedAutoEncoder": Architecture("gated"),
    "JumpReluAutoEncoder": Architecture("jump_relu", centred=False),
}
LINEAR = {"encoder.weight": "W_enc", "encoder.bias": "b_enc", "decoder.weight": "W_dec"}
MATRICES = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
TOP_K = LINEAR | {"b_dec": "b_dec", "threshold": "threshold"}
TENSORS = {
    "AutoEncoder": LINEAR | {"bias": "b_dec"},
    "AutoEncoderNew": LINEAR | {"decoder.bias": "b_dec"},
    "AutoEncoderTopK": TOP_K,
    "BatchTopKSAE": TOP_K,
    "MatryoshkaBatchTopKSAE": MATRICES,
    "GatedAutoEncoder": {
        "encoder.weight": "W_enc",
        "decoder.weight": "W_dec",
        "decoder_bias": "b_dec",
        "gate_bias": "b_gate",
        "mag_bias": "b_mag",
        "r_mag": "r_mag",
    },
    "JumpReluAutoEncoder": MATRICES,
}
"""Name in SAELens of each tensor of a class; weights of linear layers are transposed there."""

INTEGERS = ("k", "group_sizes")


def read_dictionary_learning(folder: Path, *, dtype: DTypeLike | None = None) -> StoredDictionary:
    """Read a directory of dictionary_learning.

    A TopK dictionary selects k units; the others with a k use the threshold of the file.

    Args:
        folder: the directory.
        dtype: dtype of the parameters (default: that of the file).

    Returns:
        The dictionary, with directions as stored; `models.fold_decoder_norms` scales them to norm 1
        as that package does with plain dictionaries when it reads them.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if the configuration or the file is invalid or not supported, or a tensor is
            missing, unknown, or has another shape than the configuration states.

    Source: Marks, Karvonen & Mueller 2024.
    """
    path, weights = folder / CONFIGURATION, folder / WEIGHTS
    configuration = read_configuration(path)
    trainer = configuration.get("trainer")
    if not isinstance(trainer, dict):
        raise ValueError(f"{path}: trainer must be an object, got {trainer!r}")
    architecture = configured_choice(path, trainer, "dict_class", ARCHITECTURES)
    name, tensors = trainer["dict_class"], torch_file(weights)
    sizes = [configured_count(path, trainer, size) for size in ("activation_dim", "dict_size")]
    integers = {each: tensors.pop(each) for each in INTEGERS if each in tensors}
    if architecture.activation in ("top_k", "batch_top_k"):
        k = configured_count(path, trainer, "k")
        _check_integers(weights, integers, k, sizes[1])
        architecture = architecture._replace(k=k)
    elif integers:
        raise ValueError(f"{weights} has the unknown {', '.join(integers)}")
    values = _values(weights, tensors, name, *sizes)
    values = {each: value.astype(dtype or value.dtype) for each, value in values.items()}
    model, params = assembled(values, architecture)
    return StoredDictionary(
        model,
        params,
        "dictionary_learning",
        architecture.activation,
        architecture.k,
        configuration=configuration,
    )


def _values(
    weights: Path, tensors: Tensors, name: str, features: int, units: int
) -> dict[str, np.ndarray]:
    """Weights with the names and axes of SAELens."""
    names = TENSORS[name]
    with_k = ARCHITECTURES[name].activation in ("top_k", "batch_top_k")
    shapes = {
        stored: _shape(stored, standard, features, units, with_k)
        for stored, standard in names.items()
    }
    if name == "AutoEncoderTopK" and "threshold" not in tensors:  # of an early version
        del shapes["threshold"]
    values = {
        names[stored]: value.T if stored.endswith(".weight") else value
        for stored, value in checked_values(weights, tensors, shapes).items()
    }
    if name == "AutoEncoderTopK":
        values.pop("threshold", None)
    elif with_k:
        values["threshold"] = np.broadcast_to(values["threshold"], units)
    return values


def _shape(stored: str, standard: str, features: int, units: int, with_k: bool) -> Shape:
    matrix = {"W_enc": (features, units), "W_dec": (units, features)}.get(standard)
    if matrix is not None:
        return matrix[::-1] if stored.endswith(".weight") else matrix
    if standard == "threshold" and with_k:
        return ()
    return (features,) if standard == "b_dec" else (units,)


def _check_integers(
    weights: Path, integers: Mapping[str, StoredTensor], k: int, units: int
) -> None:
    """Check the integers that a file repeats: its k, and the sizes of Matryoshka groups."""
    for name, tensor in integers.items():
        if tensor.dtype.kind != "i" or len(tensor.shape) != (name == "group_sizes"):
            raise ValueError(f"{weights}: {name} must be integer, got {tensor.dtype}{tensor.shape}")
    if "k" in integers and integers["k"].read() != k:
        raise ValueError(f"{weights} has k = {integers['k'].read()}, its configuration k = {k}")
    if "group_sizes" in integers:
        groups = integers["group_sizes"].read()
        if np.sum(groups) != units:
            raise ValueError(f"{weights}: groups of {groups} units are not {units} units")
