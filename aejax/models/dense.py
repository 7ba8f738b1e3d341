"""Dense autoencoders: undercomplete, overcomplete or deep, tied or untied.

One hidden layer gives h = f(W_e x + b), x̂ = g(W_d h + c). Kernels have the layout of Flax,
[inputs, outputs], and multiply examples from the right: h = f(x W_e + b).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike

from aejax.hyperparameters import as_integer
from aejax.layers.low_precision import matmul
from aejax.types import Array, Autoencoder, Key, Params

Activation = Callable[[Array], Array]


class Initializers(NamedTuple):
    """Initialisers of kernels and biases, from `flax.linen.initializers`."""

    kernel: Callable[..., Array] = linen.initializers.lecun_normal()
    bias: Callable[..., Array] = linen.initializers.zeros


def dense(
    sizes: Sequence[int],
    *,
    decoder_sizes: Sequence[int] | None = None,
    activation: Activation = jax.nn.sigmoid,
    code_activation: Activation | None = None,
    tied: bool = False,
    bias: bool = True,
    initializers: Initializers = Initializers(),
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Dense autoencoder with layers h_{l+1} = f(h_l W_l + b_l).

    The last decoder layer has no activation: `decode` returns the argument of the output
    non-linearity g, which is the link function of the loss.

    Args:
        sizes: numbers of features of the input, the hidden layers and the code: (784, 500, 30).
        decoder_sizes: numbers of features from the code to the output (default: `sizes` reversed).
        activation: activation f of the hidden layers, except the code.
        code_activation: activation of the code (default: `activation`); `jax.nn.identity` gives a
            linear code.
        tied: whether the decoder uses the transposed kernels of the encoder, W_d = W_eᵀ. Its
            parameters are then only biases.
        bias: whether layers have a bias.
        initializers: initialisers of kernels and biases.
        dtype: dtype of the parameters; `float` is JAX's default, float64 if x64 is enabled.

    Returns:
        An `Autoencoder` from [batch, sizes[0]] to [batch, decoder_sizes[-1]], with parameters
        {"encoder": {"layer_0": {"kernel", "bias"}, …}, "decoder": {"layer_0": …}}.

    Raises:
        ValueError: if there are fewer than two sizes, a size is less than 1, the decoder does not
            start at the code size, or the sizes of a tied decoder are not those of the encoder
            reversed. `encode` and `decode` raise it for arrays of the wrong width.

    Source: Bourlard & Kamp 1988; Hinton & Salakhutdinov 2006 (deep); Vincent et al. 2010 (tied).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.dense((784, 500, 30), code_activation=jax.nn.identity)
        >>> params = model.init(jax.random.key(0))
        >>> model.encode(params, jnp.zeros((16, 784))).shape
        (16, 30)
    """
    encoder_sizes = _checked_sizes("sizes", sizes)
    decoder_sizes = _checked_sizes("decoder_sizes", decoder_sizes or encoder_sizes[::-1])
    _check_decoder(encoder_sizes, decoder_sizes, tied)
    layer = partial(
        linen.Dense,
        use_bias=bias,
        param_dtype=dtype,
        kernel_init=initializers.kernel,
        bias_init=initializers.bias,
        dot_general=lambda x, kernel, *_, **__: matmul(x, kernel),
    )
    encoder = _stack(layer, encoder_sizes, activation, code_activation or activation)
    decoder = _stack(layer, decoder_sizes, activation, jax.nn.identity)

    def init(key: Key) -> Params:
        key_encoder, key_decoder = jax.random.split(key)
        params = {"encoder": encoder.init(key_encoder), "decoder": decoder.init(key_decoder)}
        if tied:
            for layer_params in params["decoder"].values():
                del layer_params["kernel"]
        return params

    def encode(params: Params, x: Array) -> Array:
        return encoder.apply(params["encoder"], x)

    def decode(params: Params, code: Array) -> Array:
        return decoder.apply((untied(params) if tied else params)["decoder"], code)

    return Autoencoder(init, encode, decode)


def untied(params: Params) -> Params:
    """Convert parameters of a tied autoencoder to those of the equivalent untied one.

    The decoder gets transposed copies of the dense kernels of the encoder. Convolution kernels are
    copied unchanged, because a transposed convolution uses the kernel of its convolution.

    Args:
        params: parameters of `dense` or `convolutional` with tied=True.

    Returns:
        Parameters of the same model with tied=False.

    Source: Hinton & Salakhutdinov 2006, fig. 1 (unrolling).

    Example:
        >>> import aejax, jax
        >>> params = aejax.dense((8, 3), tied=True).init(jax.random.key(0))
        >>> aejax.untied(params)["decoder"]["layer_0"]["kernel"].shape
        (3, 8)
    """
    encoder, decoder = params["encoder"], params["decoder"]
    last = len(encoder) - 1
    kernels = [encoder[f"layer_{last - i}"]["kernel"] for i in range(len(encoder))]
    layers = {
        f"layer_{i}": {**decoder[f"layer_{i}"], "kernel": kernel.T if kernel.ndim == 2 else kernel}
        for i, kernel in enumerate(kernels)
    }
    return {"encoder": encoder, "decoder": layers}


class _Stack(NamedTuple):
    """A stack of dense layers as two pure functions."""

    init: Callable[[Key], Params]
    apply: Callable[[Params, Array], Array]


def _stack(
    layer: Callable[[int], linen.Dense],
    sizes: tuple[int, ...],
    activation: Activation,
    last_activation: Activation,
) -> _Stack:
    layers = {f"layer_{i}": layer(size) for i, size in enumerate(sizes[1:])}
    activations = [activation] * (len(layers) - 1) + [last_activation]

    def init(key: Key) -> Params:
        keys = jax.random.split(key, len(layers))
        inputs = [jnp.zeros((1, size)) for size in sizes[:-1]]
        return {
            name: layers[name].init(layer_key, x)["params"]
            for name, layer_key, x in zip(layers, keys, inputs, strict=True)
        }

    def apply(params: Params, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != sizes[0]:
            raise ValueError(
                f"expected an array [batch, {sizes[0]}], got shape {list(x.shape)}; "
                "flatten images with x.reshape(len(x), -1)"
            )
        for name, activation in zip(layers, activations, strict=True):
            x = activation(cast(Array, layers[name].apply({"params": params[name]}, x)))
        return x

    return _Stack(init, apply)


def _checked_sizes(name: str, sizes: Sequence[Any]) -> tuple[int, ...]:
    sizes = tuple(as_integer(f"each of {name}", size) for size in sizes)
    if len(sizes) < 2 or any(size < 1 for size in sizes):
        raise ValueError(
            f"{name} must have at least two layers of one feature or more "
            f"(input and code, e.g. (784, 30)), got {sizes}"
        )
    return sizes


def _check_decoder(
    encoder_sizes: tuple[int, ...], decoder_sizes: tuple[int, ...], tied: bool
) -> None:
    if decoder_sizes[0] != encoder_sizes[-1]:
        raise ValueError(
            f"decoder_sizes must start at the code size {encoder_sizes[-1]}, got {decoder_sizes}"
        )
    if tied and decoder_sizes != encoder_sizes[::-1]:
        raise ValueError(
            f"a tied decoder mirrors its encoder {encoder_sizes}, got decoder_sizes "
            f"{decoder_sizes}; omit decoder_sizes or use tied=False"
        )
