"""Crosscoders against a sum over layers in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import losses, penalties

LAYERS, FEATURES, UNITS, WEIGHT = 3, 5, 11, 0.7
MODEL = aejax.crosscoder(LAYERS, FEATURES, UNITS)
PENALTY = penalties.l1_by_layer_norms(layers=LAYERS)
OBJECTIVE = aejax.objective(MODEL, losses.squared, penalties={"l1": (WEIGHT, PENALTY)})


def test_code_output_and_objective_are_sums_over_layers(x64):
    rng = np.random.default_rng(0)
    encoders, decoders = (
        rng.normal(size=(LAYERS, *shape)) for shape in ((FEATURES, UNITS), (UNITS, FEATURES))
    )
    bias, offsets = rng.normal(size=UNITS), rng.normal(size=(LAYERS, FEATURES))
    x = rng.normal(size=(7, LAYERS, FEATURES))
    code = bias + sum(x[:, layer] @ encoders[layer] for layer in range(LAYERS))
    code = np.maximum(code, 0)
    value = 0.0
    for layer in range(LAYERS):
        error = x[:, layer] - code @ decoders[layer] - offsets[layer]
        norms = np.linalg.norm(decoders[layer], axis=1)
        value += np.mean(np.sum(error**2, axis=1) + WEIGHT * code @ norms)
    params = {
        "encoder": {
            "kernel": jnp.asarray(encoders.reshape(-1, UNITS)),
            "bias": jnp.asarray(bias),
        },
        "decoder": {
            "kernel": jnp.asarray(np.concatenate(decoders, axis=1)),
            "bias": jnp.asarray(offsets.reshape(-1)),
        },
    }
    flat = jnp.asarray(x.reshape(7, -1))
    np.testing.assert_allclose(MODEL.encode(params, flat), code, rtol=1e-12)
    found, _ = OBJECTIVE(params, flat, jax.random.key(0))
    assert float(found) == pytest.approx(value, rel=1e-12)


def test_every_layer_starts_with_directions_of_one_norm():
    model = aejax.crosscoder(LAYERS, FEATURES, UNITS, decoder_norm=0.3)
    params = model.init(jax.random.key(0))
    np.testing.assert_allclose(penalties.layer_norms(params, LAYERS), 0.3, rtol=1e-6)
    np.testing.assert_array_equal(params["encoder"]["kernel"], params["decoder"]["kernel"].T)
    assert set(params) == {"encoder", "decoder"}


def test_the_gradient_of_a_zero_direction_is_zero():
    params = jax.tree.map(jnp.zeros_like, MODEL.init(jax.random.key(0)))
    gradient, _ = jax.grad(OBJECTIVE, has_aux=True)(
        params, jnp.ones((2, LAYERS * FEATURES)), jax.random.key(0)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_sizes_that_do_not_fit_are_refused():
    refused = (ValueError, TypeCheckError)
    with pytest.raises(refused, match="layers"):
        aejax.crosscoder(0, FEATURES, UNITS)
    with pytest.raises(refused, match="layers"):
        penalties.l1_by_layer_norms(layers=0)
    params = MODEL.init(jax.random.key(0))
    with pytest.raises(refused, match="15 outputs cannot have 4 layers"):
        penalties.layer_norms(params, 4)
    with pytest.raises(refused, match=r"expected an array \[batch, 15\]"):
        MODEL.encode(params, jnp.ones((2, FEATURES)))
