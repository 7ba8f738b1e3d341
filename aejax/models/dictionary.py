"""Sparse dictionaries: one wide hidden layer, a sparse code, and one direction for each unit.

The names of the field: the rows of the decoder's kernel are the dictionary, its units are latents.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.contracts import check_shape_and_dtype
from aejax.hyperparameters import as_integer, check_range
from aejax.layers.code_activations import CodeActivation, as_code_activation
from aejax.layers.dictionary_layers import decoded, pre_activations, random_directions
from aejax.types import Array, Autoencoder, Key, Params

ActivationLike = CodeActivation | Callable[[Array], Array]
"""An activation with parameters, or a function z -> code."""


def dictionary(
    features: int,
    units: int,
    *,
    activation: ActivationLike = jax.nn.relu,
    centred: bool = True,
    decoder_norm: float = 1.0,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Sparse dictionary: z = (x − c) W_e + b, h = f(z), x̂ = h W_d + c.

    The rows of W_d start as random directions, and W_e = W_dᵀ. For rows that keep unit norm, train
    with `training.constrained(optimizer, training.unit_norm(select=…))`.

    Args:
        features: number of features of the input and output.
        units: number of units, usually several times the number of features.
        activation: activation f of the code: a function of the pre-activations, such as
            `jax.nn.relu` or `top_k_relu(k=…)`, or a `CodeActivation` with parameters.
        centred: whether the bias c of the output is also subtracted from the input.
        decoder_norm: norm of the initial directions, above 0.
        dtype: dtype of the parameters; `float` is JAX's default, float64 if x64 is enabled.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, features] with code [batch, units] and
        parameters {"encoder": {"kernel", "bias", …}, "decoder": {"kernel"}, "centre": {"bias"}};
        uncentred, the last is "bias" of the decoder.

    Raises:
        ValueError: if a size is less than 1, the norm is not positive, or the activation is not a
            function. `encode` and `decode` raise it for arrays of the wrong width.

    Source: Bricken et al. 2023; Gao et al. 2024.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.dictionary(16, 64, activation=aejax.top_k_relu(k=4))
        >>> params = model.init(jax.random.key(0))
        >>> code = model.encode(params, jnp.ones((3, 16)))
        >>> code.shape, int((code != 0).sum(axis=1).max())
        ((3, 64), 4)
    """
    features, units = _checked_size("features", features), _checked_size("units", units)
    check_range("decoder_norm", decoder_norm, sys.float_info.min, math.inf)
    activation = as_code_activation(activation)

    def init(key: Key) -> Params:
        directions = decoder_norm * random_directions(key, units, features, dtype)
        centre = {"bias": jnp.zeros(features, dtype)}
        encoder = _encoder_params(directions.T, activation)
        if centred:
            return {"encoder": encoder, "decoder": {"kernel": directions}, "centre": centre}
        return {"encoder": encoder, "decoder": {"kernel": directions} | centre}

    return _model(init, activation)


def transcoder(
    features: int,
    units: int,
    outputs: int,
    *,
    activation: ActivationLike = jax.nn.relu,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Transcoder: a sparse dictionary of one layer's output as a function of its input.

    z = x W_e + b, h = f(z), ŷ = h W_d + c. The target y is `Batch.target`. The columns of W_e start
    as random directions, W_d as zero.

    Args:
        features: number of features of the input x.
        units: number of units.
        outputs: number of features of the target y.
        activation: activation f of the code, as of `dictionary`.
        dtype: dtype of the parameters.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, outputs], with the parameters of an
        uncentred `dictionary`.

    Raises:
        ValueError: as `dictionary`.

    Source: Dunefsky, Chlenski & Nanda 2024

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.transcoder(16, 64, 8, activation=aejax.top_k_relu(k=4))
        >>> params = model.init(jax.random.key(0))
        >>> model.decode(params, model.encode(params, jnp.ones((3, 16)))).shape
        (3, 8)
    """
    features, units = _checked_size("features", features), _checked_size("units", units)
    outputs = _checked_size("outputs", outputs)
    activation = as_code_activation(activation)

    def init(key: Key) -> Params:
        kernel = random_directions(key, units, features, dtype).T
        decoder = {"kernel": jnp.zeros((units, outputs), dtype), "bias": jnp.zeros(outputs, dtype)}
        return {"encoder": _encoder_params(kernel, activation), "decoder": decoder}

    return _model(init, activation)


def _model(init: Callable[[Key], Params], activation: CodeActivation) -> Autoencoder:
    def encode(params: Params, x: Array) -> Array:
        z = pre_activations(params, x)
        code = activation.apply(params["encoder"], z)
        check_shape_and_dtype("activation of a dictionary", z, code)
        return code

    return Autoencoder(init, encode, decoded)


def _encoder_params(kernel: Array, activation: CodeActivation) -> Params:
    units = kernel.shape[1]
    own = activation.init(units, kernel.dtype)
    return {"kernel": kernel, "bias": jnp.zeros(units, kernel.dtype)} | own


def _checked_size(name: str, size: Any) -> int:
    size = as_integer(name, size)
    if size < 1:
        raise ValueError(f"a dictionary needs {name} of at least 1, got {size}")
    return size
