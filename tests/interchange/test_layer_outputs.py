"""Outputs of layers of Flax modules equal those computed from the parameters by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from aejax import interchange

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


class Block(linen.Module):
    @linen.compact
    def __call__(self, x):
        h = linen.relu(linen.Dense(6)(x))
        self.sow("intermediates", "active", h)
        return linen.Dense(4)(h)


class Network(linen.Module):
    @linen.compact
    def __call__(self, x, train=True):
        block = Block(name="block")
        x = linen.Dropout(0.5, deterministic=not train)(block(x))
        tanh = Pair(name="pair")(x)
        return linen.Dense(2)(tanh[0] + block(x))


class Pair(linen.Module):
    def __call__(self, x):
        return jnp.tanh(x), x


class NNXBlock(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = nnx.Linear(4, 6, rngs=rngs), nnx.Linear(6, 4, rngs=rngs)

    def hidden(self, x):
        return nnx.relu(self.first(x))

    def __call__(self, x):
        self.sow(nnx.Intermediate, "doubled", 2 * x)
        return self.second(self.hidden(x))


class NNXNetwork(nnx.Module):
    def __init__(self, rngs):
        self.blocks = nnx.List([NNXBlock(rngs), NNXBlock(rngs)])
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        for block in self.blocks:
            x = self.dropout(block(x))
        return x


def dense(x, layer):
    return x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])


@pytest.fixture(scope="module")
def variables():
    return Block().init(jax.random.key(0), X)


@pytest.mark.parametrize("layer", ["Dense_0", "active", "Dense_1", "__call__"])
def test_linen_layers_match_numpy(variables, layer):
    params = variables["params"]
    before = dense(X, params["Dense_0"])
    output = dense(np.maximum(before, 0), params["Dense_1"])
    expected = {
        "Dense_0": before,
        "active": np.maximum(before, 0),
        "Dense_1": output,
        "__call__": output,
    }
    found = jax.jit(interchange.linen_layer(Block(), layer))(variables, X)
    np.testing.assert_allclose(found, expected[layer], atol=1e-5)


@pytest.mark.parametrize("layer", ["blocks.1.first", "blocks.1.hidden", "blocks.0.doubled"])
def test_nnx_layers_match_numpy(layer):
    module = NNXNetwork(nnx.Rngs(0))
    module.eval()

    def linear(x, layer):
        return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])

    first, second = module.blocks
    before = linear(linear(np.maximum(linear(X, first.first), 0), first.second), second.first)
    expected = {
        "blocks.1.first": before,
        "blocks.1.hidden": np.maximum(before, 0),
        "blocks.0.doubled": 2 * X,
    }
    function = jax.jit(interchange.nnx_layer(module, layer))
    np.testing.assert_allclose(function(nnx.state(module), X), expected[layer], atol=1e-5)
    other = jax.tree.map(jnp.zeros_like, nnx.state(module, nnx.Param))
    state = nnx.merge_state(nnx.state(module, nnx.Not(nnx.Param)), other)
    if layer != "blocks.0.doubled":  # the parameters are an argument, not those of the module
        np.testing.assert_array_equal(function(state, X), 0)


def test_an_unknown_layer_lists_the_layers(variables):
    with pytest.raises(ValueError, match=r"no layer 'Dense_7'.*: Dense_0, active, Dense_1, __call"):
        interchange.linen_layer(Block(), "Dense_7")(variables, X)
    module = NNXBlock(nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"no layer 'third'.*first.*hidden"):
        interchange.nnx_layer(module, "third")(nnx.state(module), X)


def test_arguments_of_the_call_and_layers_without_one_array():
    module = Network()
    variables = module.init(jax.random.key(0), X, train=False)
    found = interchange.linen_layer(module, "Dense_0", train=False)(variables, X)
    np.testing.assert_allclose(found, module.apply(variables, X, train=False), atol=1e-6)
    with pytest.raises(ValueError, match=r"'block.Dense_0' is called 2 times; sow"):
        interchange.linen_layer(module, "block.Dense_0", train=False)(variables, X)
    with pytest.raises(ValueError, match=r"'pair' returns a tuple, expected one array"):
        interchange.linen_layer(module, "pair", train=False)(variables, X)
