"""Convolutional autoencoders against dense ones and PyTorch, and refused arguments."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import linen
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import aejax
from aejax import Geometry, corruptions, data, losses, penalties, training
from aejax.layers.convolution import convolution_matrix
from aejax.models import pooled, resized, strided, transposed

KEY = jax.random.key(0)
LAYER_PAIRS = [(down, up) for down in (strided, pooled) for up in (transposed, resized)]


@st.composite
def autoencoders(draw):
    """A random convolutional autoencoder, and the shape of its input."""
    axes, layers = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def entries(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    def geometry():
        kernel, strides = entries(1, 4), entries(1, 3)
        pairs = tuple(zip(entries(0, 2), entries(0, 2), strict=True))
        padding = draw(st.sampled_from(["same", "same", "valid", pairs]))
        return Geometry(kernel, strides, padding, entries(1, 2))

    shape = (*entries(1, (40, 20, 10)[axes - 1]), draw(st.integers(1, 4)))
    channels = draw(st.lists(st.integers(1, 4), min_size=layers, max_size=layers))
    down, up = draw(st.sampled_from(LAYER_PAIRS))
    options = {
        "units": draw(st.lists(st.integers(1, 5), max_size=2)),
        "geometry": [geometry() for _ in range(layers)],
        "down": down,
        "up": partial(up, method="linear") if up is resized and draw(st.booleans()) else up,
        "tied": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "initializers": aejax.Initializers(linen.initializers.zeros),  # quick to trace
    }
    return shape, channels, options


def assert_same_shape(drawn):
    shape, channels, options = drawn
    try:
        model = aejax.convolutional(shape, channels, **options)
    except ValueError as refusal:
        if "does not fit" not in str(refusal):
            raise
        reject()
    x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)

    def there_and_back(x):
        params = model.init(KEY)
        return model.decode(params, model.encode(params, x))

    assert jax.eval_shape(there_and_back, x).shape == x.shape


@given(autoencoders())
@settings(max_examples=40)
def test_decode_of_encode_has_the_inputs_shape(drawn):
    assert_same_shape(drawn)


@pytest.mark.slow
@given(autoencoders())
@settings(max_examples=500)
def test_decode_of_encode_has_the_inputs_shape_for_500_examples(drawn):
    assert_same_shape(drawn)


def geometry_of_pytorch():
    """Kernel size 3, stride 2, and PyTorch's padding of 1 on both sides."""
    return Geometry((3, 3), (2, 2), ((1, 1), (1, 1)))


def pytorchs(params, x, down, up):
    """Two downsampling and two upsampling layers with tanh for a 7 × 5 image, in PyTorch."""

    def tensor(leaf, *order):
        return torch.tensor(np.asarray(leaf).transpose(order))

    layers = [params[side][f"layer_{i}"] for side in ("encoder", "decoder") for i in (0, 1)]
    pairs = [(tensor(layer["kernel"], 3, 2, 0, 1), tensor(layer["bias"], 0)) for layer in layers]
    h = tensor(x, 0, 3, 1, 2)
    for kernel, bias in pairs[:2]:
        h = torch.tanh(down(h, kernel) + bias[:, None, None])
    code = h
    for (kernel, bias), size in zip(pairs[2:], ((4, 3), (7, 5)), strict=True):
        h = up(h, kernel, size) + bias[:, None, None]
        h = h if size == (7, 5) else torch.tanh(h)
    return [np.moveaxis(maps.numpy(), 1, -1) for maps in (code, h)]


def torch_strided(x, kernel):
    return torch.nn.functional.conv2d(x, kernel, stride=2, padding=1)


def torch_pooled(x, kernel):
    maps = torch.nn.functional.conv2d(x, kernel, padding=1)
    return torch.nn.functional.max_pool2d(maps, 2, ceil_mode=True)


def torch_transposed(h, kernel, size):
    added = tuple(n - 2 * m + 1 for n, m in zip(size, h.shape[2:], strict=True))
    return torch.nn.functional.conv_transpose2d(h, kernel, None, 2, 1, added)


def torch_resized(h, kernel, size):
    h = torch.nn.functional.interpolate(h, size, mode="nearest-exact")
    return torch.nn.functional.conv_transpose2d(h, kernel, padding=1)


@pytest.mark.parametrize(
    ("ways", "reference"),
    [
        ((strided, transposed), (torch_strided, torch_transposed)),
        ((pooled, resized), (torch_pooled, torch_resized)),
    ],
)
def test_codes_and_outputs_are_pytorchs(ways, reference, x64):
    model = aejax.convolutional(
        (7, 5, 2),
        (3, 4),
        geometry=geometry_of_pytorch(),
        down=ways[0],
        up=ways[1],
        activation=jnp.tanh,
    )
    params = jax.tree.map(lambda leaf: leaf + 0.1, model.init(KEY))
    x = jax.random.normal(KEY, (3, 7, 5, 2))
    code = model.encode(params, x)
    expected_code, expected = pytorchs(params, x, *reference)
    np.testing.assert_allclose(code, expected_code, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.decode(params, code), expected, rtol=1e-10, atol=1e-12)


def test_a_tied_autoencoder_equals_a_tied_dense_one_with_the_convolution_matrix(x64):
    layer = Geometry((3, 2), (2, 1), "same")
    model = aejax.convolutional(
        (5, 4, 1), (3,), units=(2,), geometry=layer, tied=True, bias=False, activation=jnp.tanh
    )
    params = model.init(KEY)
    kernels = params["encoder"]
    assert params["decoder"] == {"layer_0": {}, "layer_1": {}}
    matrix = convolution_matrix(
        kernels["layer_0"]["kernel"], shape=(5, 4), strides=(2, 1), padding="same"
    )
    dense = aejax.dense((20, 36, 2), tied=True, bias=False, activation=jnp.tanh)
    like = {
        "encoder": {"layer_0": {"kernel": matrix}, "layer_1": kernels["layer_1"]},
        "decoder": params["decoder"],
    }
    x = jax.random.normal(KEY, (3, 5, 4, 1))
    code = model.encode(params, x)
    np.testing.assert_allclose(code, dense.encode(like, x.reshape(3, -1)), rtol=1e-12)
    expected = dense.decode(like, code).reshape(x.shape)
    np.testing.assert_allclose(model.decode(params, code), expected, rtol=1e-12)


@pytest.mark.parametrize("units", [(), (4, 2)])
def test_untied_parameters_decode_identically(units):
    options = {"units": units, "down": pooled, "up": resized}
    tied = aejax.convolutional((7, 2), (3, 4), tied=True, **options)
    params = tied.init(KEY)
    code = tied.encode(params, jax.random.normal(KEY, (2, 7, 2)))
    untied = aejax.convolutional((7, 2), (3, 4), **options)
    np.testing.assert_array_equal(
        untied.decode(aejax.untied(params), code), tied.decode(params, code)
    )


def test_decoder_channels_and_code_activation_can_be_chosen():
    model = aejax.convolutional(
        (6, 5, 3), (4, 2), decoder_channels=(2, 7, 1), code_activation=jax.nn.identity
    )
    code = model.encode(model.init(KEY), jax.random.normal(KEY, (8, 6, 5, 3)))
    assert code.shape == (8, 2, 2, 2)
    assert jnp.min(code) < 0
    assert model.decode(model.init(KEY), code).shape == (8, 6, 5, 1)


def test_resize_convolution_has_no_checkerboard_artefacts():
    h, kernel, layer = jnp.ones((1, 6, 6, 1)), jnp.ones((3, 3, 1, 1)), Geometry((3, 3), (2, 2))
    inside = np.s_[0, 3:-3, 3:-3, 0]
    flat, board = (up(h, kernel, layer, (13, 13))[inside] for up in (resized, transposed))
    assert len(np.unique(flat)) == 1
    assert len(np.unique(board)) == 3


def test_initial_kernels_have_the_variance_of_their_layers_inputs():
    params = aejax.convolutional((8, 8, 30), (90,), units=(40,)).init(KEY)
    for side, layer, inputs in (
        ("encoder", "layer_0", 9 * 30),
        ("encoder", "layer_1", 16 * 90),
        ("decoder", "layer_0", 40),
        ("decoder", "layer_1", 9 * 90),
    ):
        assert np.var(params[side][layer]["kernel"]) == pytest.approx(1 / inputs, rel=0.05)


def test_same_key_gives_same_parameters_and_layers_differ():
    model = aejax.convolutional((8, 1), (1, 1), bias=False)
    params, again, other = model.init(KEY), model.init(KEY), model.init(jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, params, again)
    kernels = jax.tree.leaves((params, other))
    assert len({np.asarray(kernel).tobytes() for kernel in kernels}) == len(kernels) == 8


def test_training_with_corruption_and_penalties_lowers_the_loss():
    x = jnp.asarray(data.digits().x_train[:320, ..., None] / 16, jnp.float32)
    objective = aejax.objective(
        aejax.convolutional((8, 8, 1), (8,), units=(10,), code_activation=jax.nn.sigmoid),
        losses.bernoulli,
        corruption=corruptions.block_masking(size=(2, 2)),
        penalties={
            "sparsity": (0.01, penalties.kl_sparsity(rho=0.2)),
            "decay": (1e-5, penalties.l2()),
        },
    )
    batch, optimizer = aejax.Batch(x), optax.adam(3e-2)
    state, _ = training.fit(objective, optimizer, batch, key=KEY, epochs=10, batch_size=32)
    error = jnp.square(aejax.reconstruct(objective, state.params, x) - x).mean()
    assert error < 0.9 * jnp.var(x, axis=0).mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (5,)}, "at least one spatial axis"),
        ({"shape": (5, 0, 1)}, "at least one spatial axis"),
        ({"channels": ()}, "at least one entry"),
        ({"channels": (2, 0)}, "at least one entry"),
        ({"units": (0,)}, "must be 1 or more"),
        ({"geometry": [Geometry((3, 3))]}, "one for all 2 layers, or one per layer, got 1"),
        ({"geometry": Geometry((3,))}, "kernel must have one entry for each of 2"),
        ({"geometry": Geometry((3, 3), output_padding=(0, 0))}, "the decoder chooses it"),
        ({"geometry": Geometry((3, 3), (2, 2))}, "does not fit"),
        ({"decoder_channels": (3, 4)}, "start at 3 channels and list 2 layers"),
        ({"decoder_channels": (2, 4, 1)}, "start at 3 channels and list 2 layers"),
        ({"decoder_channels": (3, 4, 1), "tied": True}, "mirrors its encoder"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        aejax.convolutional(**{"shape": (5, 5, 1), "channels": (2, 3)} | arguments)


def test_arrays_of_another_shape_are_refused():
    model = aejax.convolutional((5, 4, 1), (2,))
    params = model.init(KEY)
    with pytest.raises(ValueError, match=r"\[batch, 5, 4, 1\], got shape \[3, 5, 4\]"):
        model.encode(params, jnp.ones((3, 5, 4)))
    with pytest.raises(ValueError, match=r"expected an array \[batch, 3, 2, 2\]"):
        model.decode(params, jnp.ones((3, 12)))
