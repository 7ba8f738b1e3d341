"""Crosscoder: one sparse code of the activations of several layers of a network."""

import math
import sys

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.hyperparameters import as_integer, check_range
from aejax.models.dictionary import ActivationLike, dictionary
from aejax.types import Autoencoder, Key, Params


def crosscoder(
    layers: int,
    features: int,
    units: int,
    *,
    activation: ActivationLike = jax.nn.relu,
    decoder_norm: float = 1.0,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Crosscoder: h = f(Σ_l x_l W_e,l + b), x̂_l = h W_d,l + c_l, for layers l = 1 … L.

    An example is the activations x_1 … x_L of its layers, one after another: [layers * features],
    from x.reshape(batch, -1) of an array [batch, layers, features]. So it is an uncentred
    dictionary of all layers, whose squared loss is the sum over layers. Each unit starts with a
    random direction of its own in every layer, and W_e = W_dᵀ. The published penalty is
    `penalties.l1_by_layer_norms`.

    Args:
        layers: number L of layers, or of models that are compared.
        features: number of features of each layer.
        units: number of units.
        activation: activation f of the code, as of `dictionary`.
        decoder_norm: norm of the initial direction in each layer, above 0.
        dtype: dtype of the parameters.

    Returns:
        An `Autoencoder` from [batch, layers * features] to the same shape, with code [batch, units]
        and the parameters of an uncentred `dictionary`.

    Raises:
        ValueError: as `dictionary`, or if the number of layers is less than 1.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.crosscoder(3, 16, 64)
        >>> params = model.init(jax.random.key(0))
        >>> x = jnp.ones((5, 3, 16))
        >>> model.decode(params, model.encode(params, x.reshape(5, -1))).reshape(x.shape).shape
        (5, 3, 16)

    Source: Lindsey et al. 2024.
    """
    for name, size in (("layers", layers), ("features", features), ("units", units)):
        check_range(f"crosscoder's {name}", as_integer(name, size), 1, math.inf)
    check_range("decoder_norm", decoder_norm, sys.float_info.min, math.inf)
    model = dictionary(layers * features, units, activation=activation, centred=False, dtype=dtype)

    def init(key: Key) -> Params:
        params = model.init(key)
        by_layer = params["decoder"]["kernel"].reshape(units, layers, features)
        norms = jnp.linalg.norm(by_layer, axis=2, keepdims=True)
        kernel = (decoder_norm * by_layer / norms).reshape(units, -1)
        return {
            "encoder": params["encoder"] | {"kernel": kernel.T},
            "decoder": params["decoder"] | {"kernel": kernel},
        }

    return model._replace(init=init)
