"""Encoder and decoder of a sparse dictionary as functions of its parameters.

The tree of parameters states the architecture: a "centre" is subtracted from the input and added to
the output; without one the decoder has a bias of its own.
"""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from aejax.layers.low_precision import matmul
from aejax.promotion import promote_arrays
from aejax.types import Array, Key, Params

DOMAIN = 0x64697265
"""Constant that is folded into the keys of initial directions.

Random bits of one key are the same in every function that draws them. Without it, a dictionary and
the features that it is to recover, drawn with the same seed, would start with equal directions.
"""


def encoder_of(params: Params) -> Params:
    """Parameters of the encoder.

    Args:
        params: parameters of a dictionary.

    Returns:
        Those below "encoder".

    Raises:
        ValueError: for a dictionary without an encoder, as of `matching_pursuit`.
    """
    if "encoder" not in params:
        raise ValueError(
            "this needs a dictionary with an encoder, whose pre-activations it uses, but these "
            f"parameters are {', '.join(params)}, as of matching_pursuit: use dictionary(…)"
        )
    return params["encoder"]


def random_directions(
    key: Key, units: int, features: int, dtype: DTypeLike
) -> Float[Array, "units features"]:
    """Independent directions of norm 1, uniform on the sphere.

    Args:
        key: PRNG key, of which a constant makes another one, so that no other draw has its bits.
        units: number of directions.
        features: number of features.
        dtype: dtype of the result.

    Returns:
        The directions.
    """
    directions = jax.random.normal(jax.random.fold_in(key, DOMAIN), (units, features), dtype)
    return directions / jnp.linalg.norm(directions, axis=1, keepdims=True)


def pre_activations(
    params: Params, x: Float[Array, "batch features"]
) -> Float[Array, "batch units"]:
    """Pre-activations z = (x − c) W_e + b, with the centre c if the parameters have one.

    Args:
        params: parameters of a dictionary.
        x: inputs.

    Returns:
        z, before the activation.

    Raises:
        ValueError: for inputs of another width, or parameters without an encoder.

    Source: Bricken et al. 2023.
    """
    encoder = encoder_of(params)
    check_features(x, encoder["kernel"])
    x, kernel = promote_arrays(x, encoder["kernel"])
    if "centre" in params:
        x = x - params["centre"]["bias"].astype(x.dtype)
    return matmul(x, kernel) + encoder["bias"].astype(x.dtype)


def check_features(x: Array, kernel: Float[Array, "features units"]) -> None:
    """Refuse inputs of another shape than the encoder expects.

    Args:
        x: inputs.
        kernel: kernel of the encoder.

    Raises:
        ValueError: unless x is [batch, features].
    """
    features = kernel.shape[0]
    if x.ndim != 2 or x.shape[1] != features:
        raise ValueError(
            f"expected an array [batch, {features}], got shape {list(x.shape)}; flatten examples "
            "with x.reshape(len(x), -1)"
        )


def decoded(params: Params, code: Float[Array, "batch units"]) -> Float[Array, "batch outputs"]:
    """Output of the decoder, h W_d + c, where c is the centre or the bias of the decoder.

    Args:
        params: parameters of a dictionary.
        code: the code h.

    Returns:
        The output.

    Raises:
        ValueError: for a code of another width.

    Source: Bricken et al. 2023.
    """
    units = params["decoder"]["kernel"].shape[0]
    if code.ndim != 2 or code.shape[1] != units:
        raise ValueError(f"expected a code [batch, {units}], got shape {list(code.shape)}")
    code, kernel = promote_arrays(code, params["decoder"]["kernel"])
    return matmul(code, kernel) + output_bias(params).astype(code.dtype)


def output_bias(params: Params) -> Float[Array, " outputs"]:
    """Output without active units: the centre, or the bias of the decoder.

    Args:
        params: parameters of a dictionary.

    Returns:
        The bias c.
    """
    return (params["centre"] if "centre" in params else params["decoder"])["bias"]


def decoder_norms(params: Params) -> Float[Array, " units"]:
    """Euclidean norm ‖W_d,l‖₂ of the direction of each unit, with derivative 0 at a zero direction.

    Args:
        params: parameters of a dictionary.

    Returns:
        The norms.

    Source: Conerly et al. 2024.
    """
    squared = jnp.sum(jnp.square(params["decoder"]["kernel"]), axis=1)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)
