"""Objectives as users write them: Linen, NNX, Equinox, a plain dict, a registered dataclass."""

import dataclasses
from functools import partial

import equinox
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from sklearn.datasets import load_wine

import aejax
from aejax import corruptions, losses, penalties

WINE = load_wine().data.astype(np.float32)
X = (WINE - WINE.mean(axis=0)) / WINE.std(axis=0)
FEATURES = X.shape[1]


class Encoder(linen.Module):
    """Two layers and layer normalisation."""

    code: int

    @linen.compact
    def __call__(self, x):
        h = linen.LayerNorm()(linen.gelu(linen.Dense(11)(x)))
        return linen.Dense(self.code)(h)


def flax_objective(code: int = 3) -> aejax.Objective:
    encoder, decoder = Encoder(code), linen.Dense(FEATURES)

    def init(key):
        keys = jax.random.split(key)
        return {
            "encoder": encoder.init(keys[0], jnp.zeros((1, FEATURES))),
            "decoder": decoder.init(keys[1], jnp.zeros((1, code))),
        }

    model = aejax.Autoencoder(
        init,
        encode=lambda params, x: encoder.apply(params["encoder"], x),
        decode=lambda params, code: decoder.apply(params["decoder"], code),
    )
    return aejax.objective(model, losses.squared, corruption=corruptions.masking(rate=0.2))


def dict_objective(weight: float = 1e-3) -> aejax.Objective:
    """One tied layer, of which NumPy initialises the parameters; a code of two arrays."""

    def init(key):
        seed = int(jax.random.randint(key, (), 0, 1000))
        return {
            "w": np.random.default_rng(seed).normal(0, 0.1, (FEATURES, 4)).astype(np.float32),
            "scale": [np.ones(4, np.float32), 0.5],
        }

    def encode(params, x):
        h = x @ params["w"]
        return {"positive": jax.nn.relu(h), "negative": jax.nn.relu(-h)}

    def decode(params, code):
        difference = code["positive"] - code["negative"]
        return difference * params["scale"][0] * params["scale"][1] @ params["w"].T

    def small(record):
        return jnp.sum(record.code["positive"] + record.code["negative"], axis=1)

    model = aejax.Autoencoder(init, encode, decode)
    return aejax.objective(model, losses.squared, penalties={"l1": (weight, small)})


@partial(jax.tree_util.register_dataclass, data_fields=["weight", "bias"], meta_fields=["function"])
@dataclasses.dataclass
class Linear:
    """A layer that is a pytree, as in Equinox, with a static function."""

    weight: jax.Array
    bias: jax.Array
    function: object = jnp.tanh

    def __call__(self, x):
        return self.function(x @ self.weight + self.bias)


def module_objective(code: int = 2) -> aejax.Objective:
    def layer(key, inputs, outputs, function):
        weight = jax.random.normal(key, (inputs, outputs)) / jnp.sqrt(inputs)
        return Linear(weight, jnp.zeros(outputs), function)

    def init(key):
        keys = jax.random.split(key)
        return (layer(keys[0], FEATURES, code, jnp.tanh), layer(keys[1], code, FEATURES, jnp.abs))

    model = aejax.Autoencoder(
        init, encode=lambda params, x: params[0](x), decode=lambda params, h: params[1](h)
    )
    return aejax.objective(
        model,
        losses.squared,
        corruption=corruptions.gaussian(sigma=0.1),
        penalties={
            "weights": (
                1e-4,
                penalties.l2(select=lambda params: [layer.weight for layer in params]),
            )
        },
    )


class Pair(nnx.Module):
    """Two linear layers."""

    def __init__(self, code, rngs):
        self.encoder = nnx.Linear(FEATURES, code, rngs=rngs)
        self.decoder = nnx.Linear(code, FEATURES, rngs=rngs)


def nnx_objective(code: int = 3) -> aejax.Objective:
    """Parameters are an `nnx.State`."""
    graph = nnx.graphdef(Pair(code, nnx.Rngs(0)))
    model = aejax.Autoencoder(
        init=lambda key: nnx.state(Pair(code, nnx.Rngs(key))),
        encode=lambda params, x: nnx.tanh(nnx.merge(graph, params).encoder(x)),
        decode=lambda params, h: nnx.merge(graph, params).decoder(h),
    )
    return aejax.objective(model, losses.squared)


def equinox_objective(code: int = 3, *, partition: bool = True) -> aejax.Objective:
    """Parameters are the arrays of an Equinox module, or the module with its functions."""

    def make(key):
        keys = jax.random.split(key)
        options = {"width_size": 9, "depth": 1, "activation": jax.nn.gelu}
        return (
            equinox.nn.MLP(FEATURES, code, key=keys[0], **options),
            equinox.nn.MLP(code, FEATURES, key=keys[1], **options),
        )

    _, static = equinox.partition(make(jax.random.key(0)), equinox.is_inexact_array)
    model = aejax.Autoencoder(
        lambda key: equinox.filter(make(key), equinox.is_inexact_array) if partition else make(key),
        encode=lambda params, x: jax.vmap(equinox.combine(params, static)[0])(x),
        decode=lambda params, h: jax.vmap(equinox.combine(params, static)[1])(h),
    )
    return aejax.objective(model, losses.squared)


MODELS = {
    "flax": flax_objective,
    "dict": dict_objective,
    "module": module_objective,
    "nnx": nnx_objective,
    "equinox": equinox_objective,
}
