"""Folding: codes and outputs before and after agree, for every activation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import data, models

FEATURES, UNITS = 5, 13
ACTIVATIONS = {
    "top-k": aejax.top_k_relu(k=3),
    "JumpReLU": aejax.jump_relu(threshold=0.1, bandwidth=0.1),
    "gated": aejax.gated(),
}


def draw(activation, centred):
    model = aejax.dictionary(FEATURES, UNITS, activation=activation, centred=centred)
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    x = 3 + rng.normal(size=(40, FEATURES)) @ rng.normal(size=(FEATURES, FEATURES))
    return model, params, jnp.asarray(x)


@pytest.mark.parametrize(
    ("name", "centred"),
    [
        ("gated", False),
        *(
            pytest.param(name, centred, marks=pytest.mark.slow)
            for name in ACTIVATIONS
            for centred in (True, False)
            if (name, centred) != ("gated", False)
        ),
    ],
)
def test_codes_and_outputs_are_those_of_normalised_inputs(x64, name, centred):
    model, params, x = draw(ACTIVATIONS[name], centred)
    scaling = data.standardise(np.asarray(x))
    mean, covariance = x.mean(axis=0), jnp.cov(x, rowvar=False)
    values, vectors = jnp.linalg.eigh(covariance)
    whiten, colour = vectors / jnp.sqrt(values), (vectors * jnp.sqrt(values)).T
    for folded, normalised, restore in (
        (
            models.fold_normalisation(params, scaling),
            data.normalise(scaling, x),
            lambda output: data.denormalise(scaling, output),
        ),
        (
            models.fold_linear_map(params, mean, whiten, colour),
            (x - mean) @ whiten,
            lambda output: output @ colour + mean,
        ),
    ):
        code = model.encode(params, normalised)
        np.testing.assert_allclose(model.encode(folded, x), code, rtol=1e-9, atol=1e-10)
        output = restore(model.decode(params, code))
        np.testing.assert_allclose(model.decode(folded, code), output, rtol=1e-9, atol=1e-10)
        assert jax.tree.map(jnp.shape, folded) == jax.tree.map(jnp.shape, params)


@pytest.mark.parametrize("name", [pytest.param("JumpReLU", marks=pytest.mark.slow), "gated"])
def test_directions_of_norm_one_give_the_same_output(x64, name):
    model, params, x = draw(ACTIVATIONS[name], True)
    folded = models.fold_decoder_norms(params)
    norms = jnp.linalg.norm(params["decoder"]["kernel"], axis=1)
    code = model.encode(params, x)
    np.testing.assert_allclose(model.encode(folded, x), code * norms, rtol=1e-9, atol=1e-10)
    output = model.decode(folded, model.encode(folded, x))
    np.testing.assert_allclose(output, model.decode(params, code), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(jnp.linalg.norm(folded["decoder"]["kernel"], axis=1), 1)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_path_of_a_skip_connection_is_folded_too(x64, shift):
    rng, identity = np.random.default_rng(2), data.identity()
    model = models.with_skip_connection(aejax.transcoder(5, 7, 5), 5, 5)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    scaling = identity._replace(shift=shift * rng.normal(size=5), scale=rng.uniform(2, 4, 5))
    x = rng.normal(size=(9, 5))
    r, arrays = (x - scaling.shift) / scaling.scale, jax.tree.map(np.asarray, params)
    code = np.maximum(r @ arrays["encoder"]["kernel"] + arrays["encoder"]["bias"], 0)
    expected = code @ arrays["decoder"]["kernel"] + arrays["decoder"]["bias"]
    expected = (expected + r @ arrays["skip"]["kernel"]) * scaling.scale + scaling.shift
    folded = models.fold_normalisation(params, scaling)
    found = model.encode(folded, jnp.asarray(x))
    np.testing.assert_allclose(found["units"], code, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(model.decode(folded, found), expected, rtol=1e-9, atol=1e-10)


def test_what_cannot_be_folded_is_refused():
    params = aejax.transcoder(3, 8, 2).init(jax.random.key(0))
    with pytest.raises(ValueError, match="kernels have shapes"):
        models.fold_normalisation(params, data.identity())
    model = models.with_skip_connection(aejax.dictionary(3, 8), 3, 3)
    with pytest.raises(ValueError, match="a skip connection beside a centre"):
        models.fold_normalisation(model.init(jax.random.key(0)), data.identity())
