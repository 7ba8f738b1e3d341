"""SegNet: architecture, code, and forward pass against PyTorch."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from aejax.layers import resampling
from aejax.models import BASIC, VGG, segnet

SMALL = BASIC._replace(blocks=((3, 2), (4,)), kernel=(3, 3), decoder_activation=jax.nn.relu)
KEY = jax.random.key(0)


def _shapes(model):
    return jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(model.init, KEY))


def _kernels(half):
    """Kernel shapes of the encoder or decoder, in order of application."""
    return [
        half[f"block_{i}"][f"layer_{j}"]["kernel"]
        for i in range(len(half))
        for j in range(len(half[f"block_{i}"]))
    ]


def test_basic_has_four_encoder_and_four_decoder_blocks_of_64_channels():
    shapes = _shapes(segnet(BASIC, channels=3, classes=11))
    assert _kernels(shapes["encoder"]) == [(7, 7, 3, 64)] + [(7, 7, 64, 64)] * 3
    assert _kernels(shapes["decoder"]) == [(7, 7, 64, 64)] * 4
    assert shapes["classifier"] == {"kernel": (1, 1, 64, 11), "bias": (11,)}


def test_vgg_has_the_13_convolutions_of_vgg16_and_their_mirror():
    shapes = _shapes(segnet(VGG, channels=3, classes=11))
    encoder, decoder = (
        [kernel[2:] for kernel in _kernels(shapes[half])] for half in ("encoder", "decoder")
    )
    features = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    assert encoder == list(pairwise(features))
    assert decoder == [pair[::-1] for pair in encoder[:0:-1]] + [(64, 64)]


def _pytorch(params, x, nearest):
    """The same network in PyTorch, with parameters in aejax's order."""
    functional = torch.nn.functional

    def convolve(block, x):
        for j in range(len(block)):
            layer = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf)), block[f"layer_{j}"])
            x = functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), padding="same")
            norm = layer["normalisation"]
            x = functional.batch_norm(x, None, None, norm["scale"], norm["bias"], training=True)
            x = functional.relu(x)
        return x

    x = torch.tensor(np.moveaxis(x, -1, 1).copy())
    kept = []
    for i in range(2):
        x = convolve(params["encoder"][f"block_{i}"], x)
        shape = x.shape[2:]
        x, indices = functional.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        kept.append((indices, shape))
    for i, (indices, shape) in enumerate(kept[::-1]):
        if nearest:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : shape[0], : shape[1]]
        else:
            x = functional.max_unpool2d(x, indices, 2, output_size=shape)
        x = convolve(params["decoder"][f"block_{i}"], x)
    kernel, bias = (torch.tensor(np.asarray(params["classifier"][n])) for n in ("kernel", "bias"))
    x = functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias)
    return np.moveaxis(x.numpy(), 1, -1)


@pytest.mark.parametrize("nearest", [False, True])
def test_logits_are_those_of_pytorchs_layers_on_an_odd_extent(nearest, x64):
    pair = resampling.nearest if nearest else resampling.with_indices
    model = segnet(SMALL, channels=2, classes=5, resampling=pair)
    leaves, tree = jax.tree.flatten(jax.eval_shape(model.init, KEY))
    rng = np.random.default_rng(0)
    params = jax.tree.unflatten(tree, [jnp.asarray(rng.normal(size=leaf.shape)) for leaf in leaves])
    x = rng.normal(size=(3, 5, 7, 2))
    logits = jax.jit(lambda params, x: model.decode(params, model.encode(params, x)))(params, x)
    np.testing.assert_allclose(logits, _pytorch(params, x, nearest), rtol=1e-9, atol=1e-9)


def test_pooling_indices_in_the_code_determine_the_decoders_output():
    model = segnet(SMALL, channels=1, classes=2)
    params, x = jax.jit(model.init)(KEY), jax.random.normal(KEY, (2, 5, 6, 1))
    code, decode = jax.jit(model.encode)(params, x), jax.jit(model.decode)
    assert code["features"].shape == (2, 2, 2, 4)
    assert [switches.indices.shape for switches in code["switches"]] == [(2, 3, 3, 2), (2, 2, 2, 4)]
    first, *rest = code["switches"]
    moved = {**code, "switches": (first.replace(indices=first.indices[::-1]), *rest)}
    assert np.abs(decode(params, moved) - decode(params, code)).max() > 1e-3


def test_parameters_are_determined_by_the_key():
    model = segnet(SMALL, channels=1, classes=2)
    init = jax.jit(model.init)
    once, twice, other = init(KEY), init(KEY), init(jax.random.key(1))
    kernels = [params["encoder"]["block_0"]["layer_0"]["kernel"] for params in (once, twice, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


@pytest.mark.parametrize(
    ("size", "classes"),
    [
        (SMALL._replace(blocks=()), 2),
        (SMALL._replace(blocks=((2,), ())), 2),
        (SMALL._replace(kernel=(0, 3)), 2),
        (SMALL, 0),
    ],
)
def test_invalid_sizes_are_refused(size, classes):
    with pytest.raises(ValueError, match="a SegNet needs one block or more"):
        segnet(size, channels=1, classes=classes)


def test_inputs_of_another_rank_or_channel_count_are_refused():
    model = segnet(SMALL, channels=3, classes=2)
    with pytest.raises(ValueError, match=r"expected images \[batch, height, width, 3\]"):
        model.encode(model.init(KEY), jnp.ones((2, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"got shape \[4, 4, 3\]"):
        model.encode(model.init(KEY), jnp.ones((4, 4, 3)))
