"""Activations of dictionaries with NaN, and a traced number of units outside its range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax.layers.code_activations import absolute_top_k, as_code_activation, group_max, top_k_relu

UNITS = 6
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "top-k": top_k_relu(k=2),
    "absolute top-k": absolute_top_k(k=2),
    "group maximum": group_max(k=2),
    "JumpReLU": aejax.jump_relu(threshold=0.5, bandwidth=0.1),
    "gated": aejax.gated(),
    "BatchTopK": aejax.batch_top_k(k=2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_is_not_hidden_as_an_inactive_unit(name):
    activation = as_code_activation(ACTIVATIONS[name])
    encoder = {"bias": jnp.zeros(UNITS), **activation.init(UNITS, jnp.float32)}
    z = jnp.asarray(np.random.default_rng(0).normal(size=(3, UNITS)), jnp.float32)
    found = np.asarray(activation.apply(encoder, z.at[1, 4].set(jnp.nan)))
    assert np.isnan(found[1]).any()
    assert not np.isnan(found[[0, 2]]).any()


def test_a_threshold_that_is_nan_is_not_hidden():
    z = jnp.array([[1.0, -1.0]])
    threshold = {"threshold": jnp.array([jnp.nan, jnp.nan])}
    for activation in (ACTIVATIONS["JumpReLU"], ACTIVATIONS["BatchTopK"]):
        assert np.isnan(activation.apply(threshold, z)).all()


@pytest.mark.parametrize("name", ["top-k", "absolute top-k", "BatchTopK"])
def test_a_traced_k_outside_its_range_selects_none_or_the_maximum(name):
    make = {
        "top-k": top_k_relu,
        "absolute top-k": absolute_top_k,
        "BatchTopK": aejax.batch_top_k,
    }[name]
    z = jnp.asarray(np.random.default_rng(0).uniform(1, 2, (4, UNITS)))
    count = jax.jit(
        lambda k: jnp.count_nonzero(as_code_activation(make(k=k, at_most=3)).apply({}, z))
    )
    assert [int(count(k)) for k in (-1, 0, 1, 3, 4)] == [0, 0, 4, 12, 12]
