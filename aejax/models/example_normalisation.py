"""Normalisation of each example by its own statistics, which restore the scale of its output."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import export

from aejax.repr_text import record_text
from aejax.types import Array, Autoencoder, Code, Params

LAYER_EPSILON = 1e-5
"""Constant that is added to the standard deviation of an example before the division."""

KINDS = ("norm", "layer")


class NormalisedCode(NamedTuple):
    """Code of a normalised example, and the statistics of the example.

    code:  code of the model.
    shift: constant that was subtracted from the example, [batch, 1].
    scale: factor of the output, [batch, 1].
    """

    code: Code
    shift: Array
    scale: Array

    def __repr__(self) -> str:
        return record_text(self)


export.register_namedtuple_serialization(
    NormalisedCode, serialized_name="aejax.models.NormalisedCode"
)


def normalised_examples(model: Autoencoder, *, by: str) -> Autoencoder:
    """Normalise each example before it is encoded, and restore its scale after it is decoded.

    "norm": r = x √n / ‖x‖ and x̂ = decode(h) ‖x‖ / √n for n features.
    "layer": r = (x − m) / (s + 10⁻⁵) and x̂ = decode(h) s + m, where m is the mean of the features
    of the example, and s their standard deviation with n − 1 in the denominator.

    Functions that compute pre-activations from parameters and inputs alone expect normalised ones:
    penalties such as `auxk` and `l0` refuse this model, and so does `training.resample`; pass
    normalised inputs to `training.calibrate_threshold`.

    Args:
        model: autoencoder of examples [batch, features].
        by: "norm" or "layer".

    Returns:
        An `Autoencoder` with the parameters of the model. Its code is a `NormalisedCode`.

    Raises:
        ValueError: for another normalisation. `encode` raises it for examples of more than one
            axis.

    Source: Bloom et al. 2024.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.models.normalised_examples(aejax.dictionary(4, 8), by="norm")
        >>> params = model.init(jax.random.key(0))
        >>> x = jax.random.normal(jax.random.key(1), (3, 4))
        >>> small, large = (model.encode(params, scale * x).code for scale in (1, 100))
        >>> bool(jnp.allclose(small, large, rtol=1e-5))
        True
    """
    if by not in KINDS:
        raise ValueError(f"normalised_examples needs by of {' or '.join(KINDS)}, got {by!r}")

    def encode(params: Params, x: Array) -> NormalisedCode:
        if x.ndim != 2:
            raise ValueError(f"expected an array [batch, features], got shape {list(x.shape)}")
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(float)
        shift, scale = _by_norm(x) if by == "norm" else _by_layer(x)
        divisor = scale if by == "norm" else scale + LAYER_EPSILON
        return NormalisedCode(model.encode(params, (x - shift) / divisor), shift, scale)

    def decode(params: Params, code: NormalisedCode) -> Array:
        output = model.decode(params, code.code)
        return output * code.scale.astype(output.dtype) + code.shift.astype(output.dtype)

    return Autoencoder(model.init, encode, decode)


def _by_norm(x: Array) -> tuple[Array, Array]:
    """Shift 0 and scale ‖x‖ / √n; 1 for a zero example."""
    scale = _root(jnp.mean(jnp.square(x), axis=1, keepdims=True))
    return jnp.zeros_like(scale), jnp.where(scale > 0, scale, 1)


def _by_layer(x: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each example."""
    mean = jnp.mean(x, axis=1, keepdims=True)
    squares = jnp.sum(jnp.square(x - mean), axis=1, keepdims=True)
    return mean, _root(squares / max(x.shape[1] - 1, 1))


def _root(square: Array) -> Array:
    """Square root with derivative 0 at 0."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
