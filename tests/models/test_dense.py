"""Dense autoencoders against NumPy, and refused arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import aejax

KEY = jax.random.key(0)
SIZES = st.lists(st.integers(1, 7), min_size=2, max_size=5)


def test_one_hidden_layer_is_the_courses_equation(x64):
    model = aejax.dense((5, 3))
    params = jax.tree.map(lambda leaf: leaf + 0.1, model.init(KEY))
    x = np.random.default_rng(0).normal(size=(4, 5))
    encoder, decoder = (params[side]["layer_0"] for side in ("encoder", "decoder"))
    h = expit(x @ np.asarray(encoder["kernel"]) + np.asarray(encoder["bias"]))
    output = h @ np.asarray(decoder["kernel"]) + np.asarray(decoder["bias"])
    code = model.encode(params, jnp.asarray(x))
    np.testing.assert_allclose(code, h, rtol=1e-14)
    np.testing.assert_allclose(model.decode(params, code), output, rtol=1e-13)


def test_a_deep_autoencoder_activates_hidden_layers_code_and_not_the_output(x64):
    model = aejax.dense((4, 3, 2), activation=jnp.tanh, code_activation=jax.nn.relu)
    params = model.init(KEY)
    x = np.random.default_rng(0).normal(size=(6, 4))

    def affine(side, layer, x):
        leaves = params[side][f"layer_{layer}"]
        return x @ np.asarray(leaves["kernel"]) + np.asarray(leaves["bias"])

    h = np.maximum(affine("encoder", 1, np.tanh(affine("encoder", 0, x))), 0)
    output = affine("decoder", 1, np.tanh(affine("decoder", 0, h)))
    np.testing.assert_allclose(model.encode(params, jnp.asarray(x)), h, rtol=1e-13)
    np.testing.assert_allclose(model.decode(params, jnp.asarray(h)), output, rtol=1e-13)


@given(SIZES, st.booleans(), st.booleans())
@settings(max_examples=15)
def test_decode_of_encode_has_the_inputs_shape(sizes, tied, bias):
    model = aejax.dense(sizes, tied=tied, bias=bias)
    x = jax.ShapeDtypeStruct((3, sizes[0]), jnp.float32)
    params = jax.eval_shape(model.init, KEY)
    code = jax.eval_shape(model.encode, params, x)
    assert code.shape == (3, sizes[-1])
    assert jax.eval_shape(model.decode, params, code).shape == x.shape


def test_a_tied_decoder_is_the_untied_one_with_transposed_kernels():
    tied, untied = aejax.dense((6, 4, 2), tied=True), aejax.dense((6, 4, 2))
    params = tied.init(KEY)
    kernels = [params["encoder"][f"layer_{i}"]["kernel"] for i in (1, 0)]
    decoder = {
        f"layer_{i}": {**params["decoder"][f"layer_{i}"], "kernel": kernel.T}
        for i, kernel in enumerate(kernels)
    }
    code = jax.random.normal(KEY, (3, 2))
    mirrored = {"encoder": params["encoder"], "decoder": decoder}
    np.testing.assert_array_equal(tied.decode(params, code), untied.decode(mirrored, code))


def test_a_tied_decoder_stores_only_biases_and_its_gradient_reaches_the_encoder_kernel():
    model = aejax.dense((6, 4), tied=True)
    params = model.init(KEY)
    assert list(params["decoder"]["layer_0"]) == ["bias"]
    gradient = jax.grad(lambda params: model.decode(params, jnp.ones((1, 4))).sum())(params)
    np.testing.assert_array_equal(gradient["encoder"]["layer_0"]["kernel"], jnp.ones((6, 4)))


def test_bias_false_removes_all_biases():
    model = aejax.dense((6, 4), bias=False)
    assert all(
        list(layer) == ["kernel"] for side in model.init(KEY).values() for layer in side.values()
    )


def test_initializers_are_used():
    chosen = aejax.Initializers(linen.initializers.constant(2.0), linen.initializers.ones)
    params = aejax.dense((3, 2), initializers=chosen).init(KEY)
    for side in params.values():
        assert (side["layer_0"]["kernel"] == 2.0).all()
        assert (side["layer_0"]["bias"] == 1.0).all()


def test_initial_kernels_have_the_variance_of_their_initializer():
    kernel = aejax.dense((400, 300)).init(KEY)["encoder"]["layer_0"]["kernel"]
    assert np.var(kernel) == pytest.approx(1 / 400, rel=0.05)


def test_same_key_gives_same_parameters_and_layers_differ():
    model = aejax.dense((4, 4, 4))
    params, again, other = model.init(KEY), model.init(KEY), model.init(jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, params, again)
    kernels = [layer["kernel"] for side in params.values() for layer in side.values()]
    kernels += [layer["kernel"] for side in other.values() for layer in side.values()]
    assert len({np.asarray(kernel).tobytes() for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize("x64", [False, True])
def test_parameters_default_to_jaxs_float_dtype(x64):
    with jax.enable_x64(x64):
        expected = jnp.dtype(jnp.float64 if x64 else jnp.float32)
        assert {leaf.dtype for leaf in jax.tree.leaves(aejax.dense((3, 2)).init(KEY))} == {expected}
        told = aejax.dense((3, 2), dtype=jnp.bfloat16).init(KEY)
        assert {leaf.dtype for leaf in jax.tree.leaves(told)} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (5,)}, "at least two layers"),
        ({"sizes": ()}, "at least two layers"),
        ({"sizes": (5, 0)}, "one feature or more"),
        ({"sizes": (5, -1, 5)}, "one feature or more"),
        ({"sizes": (5, 3), "decoder_sizes": (4, 5)}, "must start at the code size 3"),
        ({"sizes": (5, 3), "decoder_sizes": (3, 4, 5), "tied": True}, "mirrors its encoder"),
    ],
)
def test_invalid_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        aejax.dense(**arguments)


@pytest.mark.parametrize("shape", [(2, 4), (2, 6), (5,), (2, 5, 1)])
def test_inputs_of_another_width_are_refused(shape):
    model = aejax.dense((5, 3))
    with pytest.raises(ValueError, match=r"expected an array \[batch, 5\], got shape"):
        model.encode(model.init(KEY), jnp.ones(shape))
