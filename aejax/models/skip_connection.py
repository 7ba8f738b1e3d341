"""Affine skip connection from the input to the output of a transcoder or dictionary."""

import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.contracts import describe
from aejax.hyperparameters import as_integer
from aejax.layers.low_precision import matmul
from aejax.promotion import promote_arrays
from aejax.types import Array, Autoencoder, Code, Key, Params


def with_skip_connection(
    model: Autoencoder, features: int, outputs: int, *, dtype: DTypeLike = float
) -> Autoencoder:
    """Add an affine path beside the units: ŷ = h W_d + c + x W_s.

    The bias of the path is that of the decoder. It is meant for transcoders: the path learns the
    linear part of a layer, and the units the rest. The output of a dictionary, whose target is its
    input, would be the path alone, with W_s = I.

    Args:
        model: model with a code [batch, units], such as `transcoder(features, units, outputs)`.
        features: number of features of the input x.
        outputs: number of features of the output.
        dtype: dtype of the kernel W_s.

    Returns:
        An `Autoencoder` with the parameters of the model and {"skip": {"kernel"}}, which starts as
        zero. Its code is {"units": h, "input": x}; components that apply to h select it, as in
        `penalties.l1(select=lambda code: code["units"])`.

    Raises:
        ValueError: if a size is less than 1; from `decode`, for a code without an input of this
            width; from `init`, if the model has parameters that are called "skip".

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> from aejax.models import with_skip_connection
        >>> model = with_skip_connection(aejax.transcoder(16, 64, 8), 16, 8)
        >>> params = model.init(jax.random.key(0))
        >>> code = model.encode(params, jnp.ones((3, 16)))
        >>> code["units"].shape, model.decode(params, code).shape
        ((3, 64), (3, 8))

    Source: Paulo, Shabalin & Belrose 2025.
    """
    sizes = as_integer("features", features), as_integer("outputs", outputs)
    if min(sizes) < 1:
        raise ValueError(f"a skip connection needs sizes of at least 1, got {list(sizes)}")

    def init(key: Key) -> Params:
        params = model.init(key)
        if "skip" in params:
            raise ValueError("the model has a skip connection already: parameters 'skip'")
        return params | {"skip": {"kernel": jnp.zeros(sizes, dtype)}}

    def encode(params: Params, x: Array) -> Code:
        return {"units": model.encode(params, x), "input": x}

    def decode(params: Params, code: Code) -> Array:
        x = code["input"]
        if x.ndim != 2 or x.shape[1] != sizes[0]:
            raise ValueError(f"expected an input [batch, {sizes[0]}], got {describe(x)}")
        output = model.decode(params, code["units"])
        return output + matmul(*promote_arrays(x, params["skip"]["kernel"])).astype(output.dtype)

    return Autoencoder(init, encode, decode)
