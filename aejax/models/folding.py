"""Folding of a normalisation into the parameters of a dictionary, exactly.

A dictionary that was trained on normalised inputs becomes one of the raw inputs, with the same
codes and with outputs on the scale of the data.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Float

from aejax.data.normalisation import Normalisation
from aejax.layers.dictionary_layers import decoder_norms, encoder_of, output_bias
from aejax.types import Array, Params


def fold_normalisation(params: Params, normalisation: Normalisation) -> Params:
    """Parameters for raw inputs x of a dictionary of r = (x − shift) / scale.

    encode(folded, x) = encode(params, r) and decode(folded, h) = decode(params, h) · scale + shift.

    Args:
        params: parameters of a `dictionary`, trained on normalised inputs, or of a transcoder or
            skip connection whose output has the normalisation of its input.
        normalisation: shift and scale, scalars or [features].

    Returns:
        The folded parameters, with the structure and dtypes of those given.

    Raises:
        ValueError: for outputs of another number than inputs, a skip connection beside a centre, or
            parameters without an encoder.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> from aejax.models import fold_normalisation
        >>> x = jnp.arange(12.0).reshape(4, 3)
        >>> scaling = aejax.data.standardise(x)
        >>> model = aejax.dictionary(3, 8)
        >>> params = model.init(jax.random.key(0))
        >>> before = model.encode(params, aejax.data.normalise(scaling, x))
        >>> after = model.encode(fold_normalisation(params, scaling), x)
        >>> bool(jnp.allclose(before, after, atol=1e-6))
        True
    """
    kernel = encoder_of(params)["kernel"]
    shift, scale = (
        jnp.broadcast_to(jnp.asarray(part, kernel.dtype), kernel.shape[:1])
        for part in normalisation
    )
    return _folded(params, shift, lambda kernel: kernel / scale[:, None], lambda rows: rows * scale)


def fold_linear_map(
    params: Params,
    mean: Float[Array, " inputs"],
    matrix: Float[Array, "inputs features"],
    inverse: Float[Array, "features inputs"],
) -> Params:
    """Parameters for raw inputs x of a dictionary of r = (x − mean) M, such as whitened ones.

    encode(folded, x) = encode(params, r) and decode(folded, h) = decode(params, h) M⁻¹ + mean.

    Args:
        params: parameters of a `dictionary`, trained on transformed inputs, or of a transcoder or
            skip connection whose output is transformed as its input.
        mean: mean that is subtracted first.
        matrix: M.
        inverse: M⁻¹, or the pseudo-inverse of a projection.

    Returns:
        The folded parameters, with the structure and dtypes of those given.

    Raises:
        ValueError: for outputs of another number than inputs, a skip connection beside a centre, or
            parameters without an encoder.
    """
    mean, matrix, inverse = (
        jnp.asarray(array, encoder_of(params)["kernel"].dtype) for array in (mean, matrix, inverse)
    )
    return _folded(params, mean, lambda kernel: matrix @ kernel, lambda rows: rows @ inverse)


def fold_decoder_norms(params: Params) -> Params:
    """Scale each direction to norm 1 and its unit by the norm, so that the output does not change.

    Activations that compare units with each other, such as TopK, select by the scaled units.

    Args:
        params: parameters of a dictionary or transcoder. A zero direction is not changed.

    Returns:
        The parameters; the code is multiplied by the former norms.

    Raises:
        ValueError: for parameters without an encoder.
    """
    norms = decoder_norms(params)
    norms = jnp.where(norms > 0, norms, 1)
    scaled = {
        name: leaf if name == "log_scale" else leaf * norms
        for name, leaf in encoder_of(params).items()
    }
    kernel = params["decoder"]["kernel"] / norms[:, None]
    return params | {"encoder": scaled, "decoder": params["decoder"] | {"kernel": kernel}}


def _folded(
    params: Params,
    mean: Array,
    forward: Callable[[Array], Array],
    backward: Callable[[Array], Array],
) -> Params:
    """Fold r = (x − mean) M: M times the kernel is `forward`, rows times M⁻¹ are `backward`."""
    encoder, decoder = encoder_of(params), params["decoder"]
    if "centre" in params and "skip" in params:
        raise ValueError(
            "a normalisation cannot be folded into a skip connection beside a centre, which is "
            "both subtracted and added: use dictionary(…, centred=False)"
        )
    if encoder["kernel"].shape != decoder["kernel"].shape[::-1]:
        raise ValueError(
            "a normalisation can be folded into a dictionary, whose outputs are its inputs, but "
            f"these kernels have shapes {list(encoder['kernel'].shape)} and "
            f"{list(decoder['kernel'].shape)}"
        )
    kernel = forward(encoder["kernel"])
    bias = backward(output_bias(params)) + mean
    if "centre" in params:
        folded = {"decoder": {"kernel": backward(decoder["kernel"])}, "centre": {"bias": bias}}
        return params | folded | {"encoder": encoder | {"kernel": kernel}}
    offset = mean @ kernel
    encoder = encoder | {"kernel": kernel, "bias": encoder["bias"] - offset}
    if "magnitude_bias" in encoder:
        scaled = jnp.exp(encoder["log_scale"]) * offset
        encoder = encoder | {"magnitude_bias": encoder["magnitude_bias"] - scaled}
    folded = {"encoder": encoder, "decoder": {"kernel": backward(decoder["kernel"]), "bias": bias}}
    if "skip" in params:
        path = backward(forward(params["skip"]["kernel"]))
        folded["skip"] = {"kernel": path}
        folded["decoder"]["bias"] -= mean @ path
    return params | folded
