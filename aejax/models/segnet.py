"""SegNet: semantic segmentation with max unpooling by the encoder's pooling indices.

The output is a map of class logits; train it with `losses.categorical_labels`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen
from jax.typing import DTypeLike

from aejax.layers.batch_normalisation import batch_normalisation, init_batch_normalisation
from aejax.layers.convolution import convolution
from aejax.layers.resampling import Resampling, with_indices
from aejax.models.dense import Activation
from aejax.types import Array, Autoencoder, Code, Key, Params

_init_kernel = linen.initializers.he_normal()


class Size(NamedTuple):
    """Architecture of a SegNet.

    blocks:             output channels of the encoder's convolutions; each block ends in pooling.
    kernel:             spatial extent of all kernels.
    decoder_activation: activation after each convolution of the decoder.
    """

    blocks: tuple[tuple[int, ...], ...]
    kernel: tuple[int, int]
    decoder_activation: Activation


BASIC = Size(((64,),) * 4, (7, 7), jax.nn.identity)
"""SegNet-Basic: four encoder and four decoder blocks of one convolution, no ReLU in the decoder."""

VGG = Size(((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3), (3, 3), jax.nn.relu)
"""SegNet: the 13 convolutions of VGG16 as encoder, in reverse order as decoder."""


def segnet(
    size: Size,
    *,
    channels: int,
    classes: int,
    resampling: Resampling = with_indices,
    dtype: DTypeLike = float,
) -> Autoencoder:
    """SegNet: blocks of convolution, batch normalisation and ReLU, each ending in max pooling.

    Each decoder block unpools with the indices of its encoder block and convolves the sparse maps
    with trainable filters. A final 1×1 convolution gives the class logits of each pixel; it is the
    only convolution with a bias. Convolutions use "same" padding and the initialisation of He et
    al. 2015. Batch normalisation uses batch statistics unless the parameters come from
    `training.calibrate`.

    Args:
        size: `BASIC`, `VGG`, or a variant such as `BASIC._replace(blocks=((16,), (32,)))`.
        channels: number of input channels.
        classes: number of classes.
        resampling: pair of pooling and unpooling; `resampling.nearest` uses no indices.
        dtype: dtype of the parameters; `float` is JAX's default.

    Returns:
        An `Autoencoder` from [batch, height, width, channels], of any height and width, to logits
        [batch, height, width, classes]. The code is {"features", "switches"}: the last feature
        maps, and the `PoolingIndices` of each block, in the encoder's order. Parameters are
        {"encoder": {"block_0": {"layer_0": {"kernel", "normalisation"}, …}, …}, "decoder": …,
        "classifier": {"kernel", "bias"}}; blocks are numbered in the order of application.

    Raises:
        ValueError: if there are no blocks, a block has no convolutions, or a size is less than 1.
            `encode` raises it for arrays of another rank or number of channels.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.
    """
    _check_size(size, channels, classes)
    ends = [block[-1] for block in size.blocks[:-1]]
    encoder = list(zip([channels, *ends], size.blocks, strict=True))
    decoder = [
        (block[-1], (*block[-2::-1], end))
        for end, block in zip([size.blocks[0][0], *ends], size.blocks, strict=True)
    ][::-1]

    def init(key: Key) -> Params:
        key_encoder, key_decoder, key_classifier = jax.random.split(key, 3)
        kernel = _init_kernel(key_classifier, (1, 1, size.blocks[0][0], classes), dtype)
        return {
            "encoder": _init_blocks(key_encoder, size.kernel, encoder, dtype),
            "decoder": _init_blocks(key_decoder, size.kernel, decoder, dtype),
            "classifier": {"kernel": kernel, "bias": jnp.zeros(classes, dtype)},
        }

    def encode(params: Params, x: Array) -> Code:
        _check_input(x, channels)
        switches = []
        for block in _in_order(params["encoder"]):
            x, state = resampling.pool(_convolve(block, x, jax.nn.relu))
            switches.append(state)
        return {"features": x, "switches": tuple(switches)}

    def decode(params: Params, code: Code) -> Array:
        x, switches = code["features"], code["switches"]
        for block, state in zip(_in_order(params["decoder"]), switches[::-1], strict=True):
            x = _convolve(block, resampling.unpool(x, state), size.decoder_activation)
        return convolution(x, params["classifier"]["kernel"]) + params["classifier"]["bias"]

    return Autoencoder(init, encode, decode)


def _init_blocks(
    key: Key,
    window: tuple[int, int],
    blocks: Sequence[tuple[int, Sequence[int]]],
    dtype: DTypeLike,
) -> Params:
    """Parameters of blocks, each given by its input channels and its layers' output channels."""

    def init_layer(key: Key, inputs: int, features: int) -> Params:
        return {
            "kernel": _init_kernel(key, (*window, inputs, features), dtype),
            "normalisation": init_batch_normalisation(features, dtype=dtype),
        }

    params = {}
    keys = jax.random.split(key, len(blocks))
    for i, (key_block, (inputs, block)) in enumerate(zip(keys, blocks, strict=True)):
        keys_layers = jax.random.split(key_block, len(block))
        layers = zip(keys_layers, (inputs, *block[:-1]), block, strict=True)
        params[f"block_{i}"] = {f"layer_{j}": init_layer(*layer) for j, layer in enumerate(layers)}
    return params


def _convolve(params: Params, x: Array, activation: Activation) -> Array:
    for layer in _in_order(params):
        maps = convolution(x, layer["kernel"], padding="same")
        x = activation(batch_normalisation(layer["normalisation"], maps))
    return x


def _in_order(numbered: Params) -> list[Params]:
    """Values of {"name_0": …, "name_1": …} in numeric order (JAX sorts keys as text)."""
    return [numbered[name] for name in sorted(numbered, key=lambda name: int(name.split("_")[1]))]


def _check_size(size: Size, channels: int, classes: int) -> None:
    features = [features for block in size.blocks for features in block]
    numbers = [channels, classes, *size.kernel, *features]
    if not size.blocks or not all(size.blocks) or min(numbers) < 1:
        raise ValueError(
            "a SegNet needs one block or more, each with one convolution or more, and sizes of 1 "
            f"or more; got {size.blocks}, kernel {size.kernel}, {channels} channels and "
            f"{classes} classes"
        )


def _check_input(x: Array, channels: int) -> None:
    if x.ndim != 4 or x.shape[-1] != channels:
        raise ValueError(
            f"expected images [batch, height, width, {channels}], got shape {list(x.shape)}"
        )
