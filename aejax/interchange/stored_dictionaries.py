"""Record of a sparse dictionary that was read from a file, and its assembly from named tensors."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.interchange.sealed_json import parse_object
from aejax.layers.batch_top_k import batch_top_k
from aejax.layers.code_activations import absolute_top_k, group_max, top_k_relu
from aejax.layers.gated import gated
from aejax.layers.jump_relu import jump_relu
from aejax.models.dictionary import ActivationLike, dictionary, transcoder
from aejax.models.skip_connection import with_skip_connection
from aejax.repr_text import record_text
from aejax.types import Array, Autoencoder, Params

MAX_CONFIGURATION_BYTES = 1 << 20
BANDWIDTH = 0.001
"""Bandwidth of the gradient of JumpReLU, which no file contains."""


class StoredDictionary(NamedTuple):
    """A sparse dictionary that was read from a file.

    model:         encoder and decoder as functions of raw activations.
    params:        their parameters.
    layout:        package whose layout the file has.
    activation:    name of the activation: "relu", "top_k", "absolute_top_k", "batch_top_k",
                   "group_max", "jump_relu", "gated" or "matching_pursuit".
    k:             maximum or mean number of active units, or None.
    normalisation: "none", or the one of the training inputs that the file names without its
                   constants: the model is a function of inputs that are normalised so.
    configuration: configuration in the file, such as the names of the language model and layer.
    """

    model: Autoencoder
    params: Params
    layout: str
    activation: str
    k: int | None = None
    normalisation: str = "none"
    configuration: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return record_text(self)


class Architecture(NamedTuple):
    """Architecture of a dictionary, without its sizes.

    activation: name of the activation.
    k:          number of active units, or None.
    centred:    whether the output bias is subtracted from the input.
    transcoder: whether the output is another layer than the input.
    """

    activation: str
    k: int | None = None
    centred: bool = True
    transcoder: bool = False


def activation_function(name: str, k: int | None) -> ActivationLike:
    """Activation of a dictionary by its name.

    Args:
        name: name of the activation, as in `StoredDictionary`.
        k: number of active units of "top_k", "absolute_top_k", "batch_top_k" and "group_max".

    Returns:
        The activation.

    Raises:
        ValueError: for an unknown name, or without a k where one is needed.
    """
    selections: dict[str, Callable[..., ActivationLike]] = {
        "top_k": top_k_relu,
        "absolute_top_k": absolute_top_k,
        "batch_top_k": batch_top_k,
        "group_max": group_max,
    }
    others = {
        "relu": jax.nn.relu,
        "jump_relu": jump_relu(threshold=0, bandwidth=BANDWIDTH),
        "gated": gated(),
    }
    if name in others:
        return others[name]
    if name not in selections or k is None:
        known = ", ".join(sorted(selections.keys() | others.keys()))
        raise ValueError(f"expected an activation of {known}, and its k; got {name!r} with k = {k}")
    return selections[name](k=k)


def assembled(
    values: Mapping[str, np.ndarray], architecture: Architecture
) -> tuple[Autoencoder, Params]:
    """Model and parameters of a dictionary, from tensors with the names of SAELens.

    Args:
        values: "W_enc" [features, units], "W_dec" [units, outputs], "b_dec" [outputs]; "b_enc"
            [units], or "b_gate", "b_mag" and "r_mag" [units] of a gated one; "threshold" [units];
            "W_skip" [outputs, features].
        architecture: the architecture.

    Returns:
        The model, and parameters with the dtypes of the tensors, but 32 bits while x64 is disabled.

    Raises:
        ValueError: if k is out of range.
    """
    kernel, rows = values["W_enc"], values["W_dec"]
    (features, units), outputs = kernel.shape, rows.shape[1]
    k = architecture.k
    if k is not None and not 1 <= k <= units:
        raise ValueError(f"k must be from 1 to {units}, the number of units, got {k}")
    dtype = jax.dtypes.canonicalize_dtype(kernel.dtype)
    activation = activation_function(architecture.activation, k)
    if architecture.transcoder:
        model = transcoder(features, units, outputs, activation=activation, dtype=dtype)
    else:
        centred = architecture.centred
        model = dictionary(features, units, activation=activation, centred=centred, dtype=dtype)
    params: Params = {
        "encoder": {"kernel": kernel, **_encoder(values)},
        "decoder": {"kernel": rows},
    }
    bias = {"bias": values["b_dec"]}
    if architecture.centred and not architecture.transcoder:
        params["centre"] = bias
    else:
        params["decoder"] |= bias
    if "W_skip" in values:
        model = with_skip_connection(model, features, outputs, dtype=dtype)
        params["skip"] = {"kernel": values["W_skip"].T}
    return model, jax.tree.map(as_array, params)


def _encoder(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if "b_gate" in values:
        names = {"bias": "b_gate", "log_scale": "r_mag", "magnitude_bias": "b_mag"}
        return {name: values[stored] for name, stored in names.items()}
    found = {"bias": values["b_enc"]}
    if "threshold" in values:  # no unit is negative, so that a negative threshold means 0
        found["threshold"] = np.maximum(values["threshold"], np.zeros_like(values["threshold"]))
    return found


def as_array(values: np.ndarray) -> Array:
    """Array of JAX with the dtype of an array of NumPy, but 32 bits while x64 is disabled.

    Args:
        values: array of any shape.

    Returns:
        The array.
    """
    return jnp.asarray(values, jax.dtypes.canonicalize_dtype(values.dtype))


def read_configuration(path: Path) -> dict[str, Any]:
    """Read the JSON object that describes a dictionary.

    Args:
        path: path of the file.

    Returns:
        The object.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if it is not a JSON object, or too long for a configuration.
    """
    if path.stat().st_size > MAX_CONFIGURATION_BYTES:
        raise ValueError(f"{path} is longer than {MAX_CONFIGURATION_BYTES} bytes")
    try:
        return parse_object(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a configuration: {error}") from error


def configured_count(path: Path, configuration: Mapping[str, Any], name: str) -> int:
    """A positive integer of a configuration.

    Args:
        path: path of the configuration, for messages.
        configuration: the configuration.
        name: name of the entry.

    Returns:
        The integer.

    Raises:
        ValueError: if the entry is missing or no positive integer.
    """
    value = configuration.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"{path}: {name} must be a positive integer, got {value!r}")
    return value


def configured_choice(
    path: Path, configuration: Mapping[str, Any], name: str, known: Mapping[Any, Any]
) -> Any:
    """The meaning of an entry of a configuration that is one of several strings.

    Args:
        path: path of the configuration, for messages.
        configuration: the configuration.
        name: name of the entry.
        known: meaning of each valid string.

    Returns:
        The meaning.

    Raises:
        ValueError: if the entry is missing or not one of them.
    """
    value = configuration.get(name)
    if not isinstance(value, str) or value not in known:
        listed = ", ".join(map(str, known))
        raise ValueError(f"{path}: {name} must be one of {listed}, got {value!r}")
    return known[value]
