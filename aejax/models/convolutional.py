"""Convolutional autoencoders; the decoder restores the input's shape exactly, for any shape.

A decoder kernel has the layout of the convolution that is transposed, [*window, outputs, inputs] of
the decoder layer, so that a tied decoder uses the arrays of the encoder unchanged.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.hyperparameters import as_integer
from aejax.layers.convolution_arithmetic import Geometry, convolution_shape
from aejax.models.convolutional_layers import Down, Up, strided, transposed
from aejax.models.dense import Activation, Initializers, untied
from aejax.types import Array, Autoencoder, Key, Params


def convolutional(
    shape: Sequence[int],
    channels: Sequence[int],
    *,
    units: Sequence[int] = (),
    geometry: Geometry | Sequence[Geometry] | None = None,
    down: Down = strided,
    up: Up = transposed,
    decoder_channels: Sequence[int] | None = None,
    activation: Activation = jax.nn.relu,
    code_activation: Activation | None = None,
    tied: bool = False,
    bias: bool = True,
    initializers: Initializers = Initializers(),
    dtype: DTypeLike = float,
) -> Autoencoder:
    """Convolutional autoencoder with layers h_{l+1} = f(down(h_l, W_l) + b_l).

    The code is the last feature map, or a vector if dense layers follow the convolutions. `decode`
    returns the argument of the output non-linearity g, which is the link function of the loss.

    Args:
        shape: shape of one input, spatial axes and channels: (28, 28, 1), or (100, 12) for a time
            series.
        channels: output channels of each convolution: (16, 32).
        units: units of the dense layers after the convolutions, the last of which is the code;
            () gives a spatial code.
        geometry: geometry of all convolutions, or one per layer from the input (default: kernel
            size 3, stride 2 and "same" padding on every axis).
        down: operation of the encoder layers, `strided` or `pooled`.
        up: operation of the decoder layers, `transposed` or `resized`.
        decoder_channels: channels from the last feature map to the output, (32, 16, 3) (default:
            the encoder's in reverse).
        activation: activation f of the hidden layers, except the code.
        code_activation: activation of the code (default: `activation`).
        tied: whether each decoder layer uses the transposed kernel of its encoder layer. The
            parameters of the decoder are then only biases.
        bias: whether layers have a bias, one per channel or unit.
        initializers: initialisers of kernels and biases.
        dtype: dtype of the parameters; `float` is JAX's default, float64 if x64 is enabled.

    Returns:
        An `Autoencoder` from [batch, *shape] to [batch, *spatial, decoder_channels[-1]], with
        parameters {"encoder": {"layer_0": {"kernel", "bias"}, …}, "decoder": {"layer_0": …}} that
        include the dense layers. The code is [batch, *smaller, channels[-1]], or
        [batch, units[-1]].

    Raises:
        ValueError: if there are no spatial axes or no channels; if a size is less than 1; if the
            number of geometries is not that of layers, or one does not fit its input; if
            `decoder_channels` does not fit the encoder, or, if tied, is not its channels reversed.
            `encode` and `decode` raise it for arrays of the wrong shape.

    Source: Masci et al. 2011; Zeiler et al. 2010 (transposed convolutions).

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.convolutional((28, 28, 1), (16, 32))
        >>> params = model.init(jax.random.key(0))
        >>> model.encode(params, jnp.zeros((2, 28, 28, 1))).shape
        (2, 7, 7, 32)
    """
    shape, channels, units = (
        tuple(as_integer(f"each of {name}", size) for size in sizes)
        for name, sizes in (("shape", shape), ("channels", channels), ("units", units))
    )
    spatial = shape[:-1]
    _check_sizes(shape, channels, units)
    layers = _layers(geometry, len(spatial), len(channels))
    decoder_channels = _checked_decoder(shape, channels, decoder_channels, tied)
    sizes = _sizes(spatial, layers)
    flat = (math.prod(sizes[-1]) * channels[-1], *units)
    code_shape = units[-1:] or (*sizes[-1], channels[-1])
    encoder = [
        *_downsampling_layers(down, layers, (shape[-1], *channels)),
        *_dense_layers(flat if units else ()),
    ]
    decoder = [
        *_dense_layers(flat[::-1] if units else ()),
        *_upsampling_layers(up, layers, sizes, decoder_channels),
    ]

    def init(key: Key) -> Params:
        draw = partial(_init_layers, initializers=initializers, bias=bias, dtype=dtype)
        key_encoder, key_decoder = jax.random.split(key)
        params = {"encoder": draw(key_encoder, encoder), "decoder": draw(key_decoder, decoder)}
        if tied:
            for layer in params["decoder"].values():
                del layer["kernel"]
        return params

    def encode(params: Params, x: Array) -> Array:
        _check_input(x, shape)
        return _apply_layers(
            encoder, params["encoder"], x, activation, code_activation or activation
        )

    def decode(params: Params, code: Array) -> Array:
        _check_input(code, code_shape)
        layers = (untied(params) if tied else params)["decoder"]
        return _apply_layers(decoder, layers, code, activation, jax.nn.identity)

    return Autoencoder(init, encode, decode)


class _Layer(NamedTuple):
    """A convolutional or dense layer.

    inputs, outputs: numbers of channels or units.
    window:          spatial extent of the kernel; () for a dense layer.
    transposed:      whether the kernel is stored as [*window, outputs, inputs].
    apply:           (x, kernel) -> output before the bias.
    """

    inputs: int
    outputs: int
    window: tuple[int, ...]
    transposed: bool
    apply: Callable[[Array, Array], Array]


def _downsampling_layers(
    down: Down, geometries: Sequence[Geometry], channels: Sequence[int]
) -> list[_Layer]:
    def layer(geometry: Geometry, inputs: int, outputs: int) -> _Layer:
        def apply(x: Array, kernel: Array) -> Array:
            return down(x, kernel, geometry)

        return _Layer(inputs, outputs, tuple(geometry.kernel), False, apply)

    return [layer(*each) for each in zip(geometries, channels[:-1], channels[1:], strict=True)]


def _upsampling_layers(
    up: Up, geometries: Sequence[Geometry], sizes: list[tuple[int, ...]], channels: Sequence[int]
) -> list[_Layer]:
    def layer(geometry: Geometry, size: tuple[int, ...], target: tuple[int, ...], inputs, outputs):
        def apply(h: Array, kernel: Array) -> Array:
            return up(h.reshape(h.shape[0], *size, inputs), kernel, geometry, target)

        return _Layer(inputs, outputs, tuple(geometry.kernel), True, apply)

    reverse = geometries[::-1], sizes[:0:-1], sizes[-2::-1]
    return [layer(*each) for each in zip(*reverse, channels[:-1], channels[1:], strict=True)]


def _dense_layers(sizes: Sequence[int]) -> list[_Layer]:
    def apply(x: Array, kernel: Array) -> Array:
        return x.reshape(x.shape[0], -1) @ kernel

    return [_Layer(inputs, outputs, (), False, apply) for inputs, outputs in pairwise(sizes)]


def _init_layers(
    key: Key, layers: Sequence[_Layer], *, initializers: Initializers, bias: bool, dtype: DTypeLike
) -> Params:
    """Draw parameters; kernels are drawn as [*window, inputs, outputs], so that fan-in is right."""
    params = {}
    keys = jax.random.split(key, (len(layers), 2))
    for i, (layer, (key_kernel, key_bias)) in enumerate(zip(layers, keys, strict=True)):
        shape = (*layer.window, layer.inputs, layer.outputs)
        kernel = initializers.kernel(key_kernel, shape, dtype)
        kernel = jnp.swapaxes(kernel, -1, -2) if layer.transposed else kernel
        params[f"layer_{i}"] = {"kernel": kernel}
        if bias:
            params[f"layer_{i}"]["bias"] = initializers.bias(key_bias, (layer.outputs,), dtype)
    return params


def _apply_layers(
    layers: Sequence[_Layer], params: Params, x: Array, activation: Activation, last: Activation
) -> Array:
    for i, layer in enumerate(layers):
        layer_params = params[f"layer_{i}"]
        x = layer.apply(x, layer_params["kernel"])
        x = x + layer_params["bias"] if "bias" in layer_params else x
        x = (last if i == len(layers) - 1 else activation)(x)
    return x


def _layers(
    geometry: Geometry | Sequence[Geometry] | None, axes: int, count: int
) -> tuple[Geometry, ...]:
    if geometry is None:
        geometry = Geometry((3,) * axes, (2,) * axes, "same")
    layers = (geometry,) * count if isinstance(geometry, Geometry) else tuple(geometry)
    if len(layers) != count:
        raise ValueError(
            f"geometry must be one for all {count} layers, or one per layer, got {len(layers)}"
        )
    if any(layer.output_padding is not None for layer in layers):
        raise ValueError("omit output_padding: the decoder chooses it to restore the input shape")
    return layers


def _sizes(spatial: tuple[int, ...], layers: Sequence[Geometry]) -> list[tuple[int, ...]]:
    """Spatial shapes of the input and of each layer's output."""
    sizes = [spatial]
    for layer in layers:
        sizes.append(convolution_shape(sizes[-1], layer))
    return sizes


def _check_sizes(shape: tuple[int, ...], channels: tuple[int, ...], units: tuple[int, ...]) -> None:
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"shape must have at least one spatial axis, and channels: (28, 28, 1), got {shape}"
        )
    if not channels or min(channels) < 1 or min(units, default=1) < 1:
        raise ValueError(
            "channels must have at least one entry, and the entries of channels and units must be "
            f"1 or more, got channels {channels}, units {units}"
        )


def _checked_decoder(
    shape: Sequence[int],
    channels: tuple[int, ...],
    decoder_channels: Sequence[int] | None,
    tied: bool,
) -> tuple[int, ...]:
    symmetric = (*channels[::-1], shape[-1])
    found = symmetric if decoder_channels is None else tuple(decoder_channels)
    if len(found) != len(symmetric) or found[0] != symmetric[0] or min(found) < 1:
        raise ValueError(
            f"decoder_channels must start at {symmetric[0]} channels and list {len(channels)} "
            f"layers of one channel or more, for example {symmetric}, got {found}"
        )
    if tied and found != symmetric:
        raise ValueError(
            f"a tied decoder mirrors its encoder: decoder_channels {symmetric}, got {found}; omit "
            "them or use tied=False"
        )
    return found


def _check_input(x: Array, shape: tuple[int, ...]) -> None:
    if x.shape[1:] != shape:
        raise ValueError(
            f"expected an array [batch, {', '.join(map(str, shape))}], got shape {list(x.shape)}; "
            "channels come last; add a missing channel axis by x[..., None]"
        )
