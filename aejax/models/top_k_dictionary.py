"""TopK dictionary whose code is the values and indices of its active units."""

import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.contracts import describe
from aejax.hyperparameters import as_integer, check_range
from aejax.layers.code_activations import top_k_relu
from aejax.layers.dictionary_layers import check_features, encoder_of, output_bias
from aejax.layers.sparse_codes import SparseCode, largest_units, sparse_product
from aejax.models.dictionary import dictionary
from aejax.promotion import promote_arrays
from aejax.types import Array, Autoencoder, Code, Params


def top_k_dictionary(
    features: int,
    units: int,
    *,
    k: int,
    centred: bool = True,
    decoder_norm: float = 1.0,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """TopK dictionary with a sparse code: h = TopK(max((x − c) W_e + b, 0)), x̂ = h W_d + c.

    It has the parameters, outputs and gradients of `dictionary(…, activation=top_k_relu(k=k))`, for
    training and for large arrays: of the five products of a training step only that of the encoder
    is dense, which saves time on CPUs if k is a small share of the units
    (`python -m benchmarks.dictionary_throughput`). Train with it, and use the same parameters with
    `dictionary` wherever a code [batch, units] is expected, or units are divided over devices.

    Args:
        features: number of features of the input and output.
        units: number of units.
        k: number of active units, from 1 to the number of units.
        centred: whether the bias c of the output is also subtracted from the input.
        decoder_norm: norm of the initial directions, above 0.
        dtype: dtype of the parameters; `float` is JAX's default, float64 if x64 is enabled.

    Returns:
        An `Autoencoder` from [batch, features] to [batch, features], whose code is a `SparseCode`.
        Trackers and penalties select an array: `select=partial(models.dense_code, units=units)`.

    Raises:
        ValueError: as `dictionary`, and if k is not an integer from 1 to the number of units.

    Source: Gao et al. 2024.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from aejax import models
        >>> model = models.top_k_dictionary(16, 64, k=4)
        >>> params = model.init(jax.random.key(0))
        >>> model.encode(params, jnp.ones((3, 16))).values.shape
        (3, 4)
    """
    k = as_integer("k of top_k_dictionary", k)
    check_range("k of top_k_dictionary", k, 1, units)
    dense = dictionary(
        features,
        units,
        activation=top_k_relu(k=k),
        centred=centred,
        decoder_norm=decoder_norm,
        dtype=dtype,
    )

    def encode(params: Params, x: Array) -> SparseCode:
        encoder = encoder_of(params)
        check_features(x, encoder["kernel"])
        x, kernel = promote_arrays(x, encoder["kernel"])
        centre = params["centre"]["bias"].astype(x.dtype) if centred else jnp.zeros_like(x[0])
        return largest_units(x, centre, kernel, encoder["bias"].astype(x.dtype), k)

    def decode(params: Params, code: Code) -> Array:
        if not isinstance(code, SparseCode):
            raise ValueError(
                f"a top_k_dictionary decodes a SparseCode, got {describe(code)}; for arrays use "
                "dictionary(…, activation=top_k_relu(k=…)) with the same parameters"
            )
        values, kernel = promote_arrays(code.values, params["decoder"]["kernel"])
        output = sparse_product(SparseCode(values, code.indices), kernel)
        return output + output_bias(params).astype(output.dtype)

    return Autoencoder(dense.init, encode, decode)
