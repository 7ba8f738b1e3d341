"""Linear path beside the layers of an autoencoder, which can start as PCA."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.models.linear import linear, pca_params
from aejax.types import Array, Autoencoder, Key, Params


def with_linear_path(
    model: Autoencoder, features: int, code: int, *, dtype: DTypeLike = float
) -> Autoencoder:
    """Add a linear path beside the layers of the encoder and of the decoder.

        h = x W + b + encode(x),   output = h W* + c + decode(h).

    The last kernel of the layers starts at zero in both, so that the model starts as the linear
    path alone. `start_as_pca` sets the path to PCA, whose error is the least of all linear
    autoencoders; training then reduces it where a non-linear map helps. Its residuals are
    orthogonal to the components, so that the first step changes only the decoder.

    Args:
        model: dense autoencoder with a linear code [batch, code] and an untied decoder.
        features: number of input and output features.
        code: number of code units.
        dtype: dtype of the parameters of the path; `float` is JAX's default.

    Returns:
        An `Autoencoder` with the parameters of the model, and {"kernel", "bias"} under "linear" in
        "encoder" and "decoder".

    Raises:
        ValueError: if a size is less than 1.

    Source: He et al. 2016 (identity mappings beside layers); Zhang, Dauphin & Ma 2019 (last layer
    of each branch at zero).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> from aejax.models import start_as_pca, with_linear_path
        >>> model = with_linear_path(aejax.dense((4, 8, 2), code_activation=jax.nn.identity), 4, 2)
        >>> params = start_as_pca(model.init(jax.random.key(0)), jnp.eye(2, 4), jnp.zeros(4))
        >>> model.decode(params, model.encode(params, jnp.ones((1, 4)))).tolist()
        [[1.0, 1.0, 0.0, 0.0]]
    """
    path = linear(features, code, dtype=dtype)

    def init(key: Key) -> Params:
        key_layers, key_path = jax.random.split(key)
        layers, start = model.init(key_layers), path.init(key_path)
        return {
            half: _with_last_kernel_zero(layers[half]) | {"linear": start[half]["layer_0"]}
            for half in ("encoder", "decoder")
        }

    def encode(params: Params, x: Array) -> Array:
        return path.encode(_path_params(params), x) + model.encode(params, x)

    def decode(params: Params, code: Array) -> Array:
        return path.decode(_path_params(params), code) + model.decode(params, code)

    return Autoencoder(init, encode, decode)


def start_as_pca(
    params: Params, components: Float[Array, "code features"], mean: Float[Array, " features"]
) -> Params:
    """Set the linear path to PCA: h = (x − x̄) V_k, output = x̄ + h V_kᵀ, beside the layers.

    Args:
        params: initial parameters of `with_linear_path`.
        components: V_kᵀ, unit principal directions as rows.
        mean: mean x̄ of the data.

    Returns:
        The parameters, with the dtypes of those given.

    Raises:
        ValueError: if the shapes do not match.

    Source: Bourlard & Kamp 1988.
    """
    found = pca_params(components, mean)

    def replaced(old: Array, new: Array) -> Array:
        if old.shape != new.shape:
            raise ValueError(
                f"the linear path needs an array of shape {list(old.shape)}, PCA has "
                f"{list(new.shape)}"
            )
        return jnp.asarray(new, old.dtype)

    return {
        half: layers | {"linear": jax.tree.map(replaced, layers["linear"], found[half]["layer_0"])}
        for half, layers in params.items()
    }


def _path_params(params: Params) -> Params:
    """Parameters of the path as those of `linear`."""
    return {half: {"layer_0": params[half]["linear"]} for half in ("encoder", "decoder")}


def _with_last_kernel_zero(layers: Params) -> Params:
    last = f"layer_{len(layers) - 1}"
    return layers | {last: layers[last] | {"kernel": jnp.zeros_like(layers[last]["kernel"])}}
