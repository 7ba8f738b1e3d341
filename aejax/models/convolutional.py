"""Convolutional autoencoders, whose decoder gives exactly the input's shape, whatever that is.

The kernel of a decoder's layer lies as that of the convolution it transposes, [*window, outputs,
inputs] of the layer, so that a tied decoder uses the encoder's arrays as they are.
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
    """A convolutional autoencoder: h_{l+1} = f(down(h_l, W_l) + b_l) to the code, and up again.

    The code is spatial, the last of the maps, or dense, where dense layers follow. `decode` gives
    the value before the output's non-linearity g, which belongs to the loss.

    Args:
        shape: of one input, spatial axes and channels: (28, 28, 1), or (100, 12) for a series.
        channels: of each convolution's output: (16, 32).
        units: of dense layers after the convolutions, the last of them the code's; () leaves the
            code spatial.
        geometry: of every convolution, or one a layer, from the input on. None means kernels of
            three, strides of two and "same" padding on every axis.
        down: what the encoder's layers do: `strided` or `pooled`.
        up: what the decoder's layers do: `transposed` or `resized`.
        decoder_channels: from the last maps to the output, (32, 16, 3); the mirror of the encoder
            unless given.
        activation: f of every hidden layer but the code.
        code_activation: f of the code; `activation` unless given.
        tied: every layer of the decoder uses the kernel of its encoder, transposed, with biases of
            its own; it then stores no kernels.
        bias: whether layers add a bias: one a channel, or one a unit.
        initializers: how kernels and biases start.
        dtype: of the parameters; `float` is JAX's default, float64 where x64 is enabled.

    Returns:
        An `Autoencoder` from [batch, *shape] to [batch, *spatial, decoder_channels[-1]], with
        params {"encoder": {"layer_0": {"kernel", "bias"}, …}, "decoder": {"layer_0": …}}, dense
        layers among them; `untied` unties them. The code is [batch, *smaller, channels[-1]], or
        [batch, units[-1]].

    Raises:
        ValueError: for an input without spatial axes, no channels, a size below one, geometries
            that are not one a layer or do not fit, decoder channels that do not lead from the last
            maps through as many layers, or, tied, are not the encoder's mirror; and from `encode`
            and `decode`, for an array of another shape.

    Source: Masci et al. 2011; Zeiler et al. 2010 (transposed convolutions).
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
        *_downwards(down, layers, (shape[-1], *channels)),
        *_dense_steps(flat if units else ()),
    ]
    decoder = [
        *_dense_steps(flat[::-1] if units else ()),
        *_upwards(up, layers, sizes, decoder_channels),
    ]

    def init(key: Key) -> Params:
        start = partial(_start, initializers=initializers, bias=bias, dtype=dtype)
        key_encoder, key_decoder = jax.random.split(key)
        params = {"encoder": start(key_encoder, encoder), "decoder": start(key_decoder, decoder)}
        if tied:
            for layer in params["decoder"].values():
                del layer["kernel"]
        return params

    def encode(params: Params, x: Array) -> Array:
        _check_input(x, shape)
        return _run(encoder, params["encoder"], x, activation, code_activation or activation)

    def decode(params: Params, code: Array) -> Array:
        _check_input(code, code_shape)
        layers = (untied(params) if tied else params)["decoder"]
        return _run(decoder, layers, code, activation, jax.nn.identity)

    return Autoencoder(init, encode, decode)


class _Step(NamedTuple):
    """One layer.

    inputs, outputs: channels, or units.
    window:          of its kernel; () for a dense layer.
    upwards:         its kernel is stored from outputs to inputs, as that of what it transposes.
    apply:           (x, kernel) -> what its bias is added to.
    """

    inputs: int
    outputs: int
    window: tuple[int, ...]
    upwards: bool
    apply: Callable[[Array, Array], Array]


def _downwards(down: Down, layers: Sequence[Geometry], channels: Sequence[int]) -> list[_Step]:
    def step(layer: Geometry, inputs: int, outputs: int) -> _Step:
        def apply(x: Array, kernel: Array) -> Array:
            return down(x, kernel, layer)

        return _Step(inputs, outputs, tuple(layer.kernel), False, apply)

    return [step(*each) for each in zip(layers, channels[:-1], channels[1:], strict=True)]


def _upwards(
    up: Up, layers: Sequence[Geometry], sizes: list[tuple[int, ...]], channels: Sequence[int]
) -> list[_Step]:
    def step(layer: Geometry, size: tuple[int, ...], wanted: tuple[int, ...], inputs, outputs):
        def apply(h: Array, kernel: Array) -> Array:
            return up(h.reshape(h.shape[0], *size, inputs), kernel, layer, wanted)

        return _Step(inputs, outputs, tuple(layer.kernel), True, apply)

    backwards = layers[::-1], sizes[:0:-1], sizes[-2::-1]
    return [step(*each) for each in zip(*backwards, channels[:-1], channels[1:], strict=True)]


def _dense_steps(sizes: Sequence[int]) -> list[_Step]:
    def apply(x: Array, kernel: Array) -> Array:
        return x.reshape(x.shape[0], -1) @ kernel

    return [_Step(inputs, outputs, (), False, apply) for inputs, outputs in pairwise(sizes)]


def _start(
    key: Key, steps: Sequence[_Step], *, initializers: Initializers, bias: bool, dtype: DTypeLike
) -> Params:
    """Kernels are drawn for a layer's own inputs and outputs, also where they are stored turned."""
    params = {}
    keys = jax.random.split(key, (len(steps), 2))
    for i, (step, (key_kernel, key_bias)) in enumerate(zip(steps, keys, strict=True)):
        kernel = initializers.kernel(key_kernel, (*step.window, step.inputs, step.outputs), dtype)
        params[f"layer_{i}"] = {"kernel": jnp.swapaxes(kernel, -1, -2) if step.upwards else kernel}
        if bias:
            params[f"layer_{i}"]["bias"] = initializers.bias(key_bias, (step.outputs,), dtype)
    return params


def _run(
    steps: Sequence[_Step], params: Params, x: Array, activation: Activation, last: Activation
) -> Array:
    for i, step in enumerate(steps):
        layer = params[f"layer_{i}"]
        x = step.apply(x, layer["kernel"])
        x = x + layer["bias"] if "bias" in layer else x
        x = (last if i == len(steps) - 1 else activation)(x)
    return x


def _layers(
    geometry: Geometry | Sequence[Geometry] | None, axes: int, count: int
) -> tuple[Geometry, ...]:
    if geometry is None:
        geometry = Geometry((3,) * axes, (2,) * axes, "same")
    layers = (geometry,) * count if isinstance(geometry, Geometry) else tuple(geometry)
    if len(layers) != count:
        raise ValueError(
            f"geometry must be one for all of {count} layers, or one for each, got {len(layers)}"
        )
    if any(layer.output_padding is not None for layer in layers):
        raise ValueError("leave output_padding out: the decoder chooses it to meet the input")
    return layers


def _sizes(spatial: tuple[int, ...], layers: Sequence[Geometry]) -> list[tuple[int, ...]]:
    """Spatial axes of the input and of each layer's output."""
    sizes = [spatial]
    for layer in layers:
        sizes.append(convolution_shape(sizes[-1], layer))
    return sizes


def _check_sizes(shape: tuple[int, ...], channels: tuple[int, ...], units: tuple[int, ...]) -> None:
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"shape must name one spatial axis or more, and channels: (28, 28, 1), got {shape}"
        )
    if not channels or min(channels) < 1 or min(units, default=1) < 1:
        raise ValueError(
            "channels must name one convolution or more, and it and units layers of one feature or "
            f"more, got channels {channels}, units {units}"
        )


def _checked_decoder(
    shape: Sequence[int],
    channels: tuple[int, ...],
    decoder_channels: Sequence[int] | None,
    tied: bool,
) -> tuple[int, ...]:
    mirror = (*channels[::-1], shape[-1])
    found = mirror if decoder_channels is None else tuple(decoder_channels)
    if len(found) != len(mirror) or found[0] != mirror[0] or min(found) < 1:
        raise ValueError(
            f"decoder_channels must lead from {mirror[0]} channels through {len(channels)} layers "
            f"of one channel or more, as {mirror} does, got {found}"
        )
    if tied and found != mirror:
        raise ValueError(
            f"a tied decoder mirrors its encoder: decoder_channels {mirror}, got {found}; leave "
            "them out or use tied=False"
        )
    return found


def _check_input(x: Array, shape: tuple[int, ...]) -> None:
    if x.shape[1:] != shape:
        raise ValueError(
            f"expected an array [batch, {', '.join(map(str, shape))}], got shape {list(x.shape)}; "
            "channels come last, also where there is one: x[..., None]"
        )
