"""Batch normalisation against PyTorch's, and moments against NumPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from aejax.layers.batch_normalisation import (
    batch_normalisation,
    init_batch_normalisation,
    merge_moments,
    moments,
    remove_statistics,
)

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, size=(4, 5, 6, 3))
TRAINED = {"scale": RNG.normal(size=3), "bias": RNG.normal(size=3)}
POPULATION = {"mean": RNG.normal(size=3), "variance": RNG.uniform(0.1, 2, size=3)}


def _pytorch(weight, params):
    """Value and gradients of x, γ and β, channels last."""
    x = torch.tensor(np.moveaxis(X, -1, 1).copy(), requires_grad=True)
    scale, bias = (torch.tensor(params[name], requires_grad=True) for name in ("scale", "bias"))
    running = [torch.tensor(params[name]) if name in params else None for name in POPULATION]
    y = torch.nn.functional.batch_norm(x, *running, scale, bias, training=running[0] is None)
    y.backward(torch.tensor(np.moveaxis(weight, -1, 1).copy()))
    channels_last = [np.moveaxis(t.numpy(), 1, -1) for t in (y.detach(), x.grad)]
    return *channels_last, scale.grad.numpy(), bias.grad.numpy()


@pytest.mark.parametrize("params", [TRAINED, TRAINED | POPULATION], ids=["batch", "population"])
def test_values_and_gradients_are_pytorchs(params, x64):
    weight = np.random.default_rng(1).normal(size=X.shape)
    params = jax.tree.map(jnp.asarray, params)
    ours, back = jax.vjp(batch_normalisation, params, jnp.asarray(X))
    gradient, gradient_x = back(jnp.asarray(weight))
    found = (ours, gradient_x, gradient["scale"], gradient["bias"])
    for a, b in zip(found, _pytorch(weight, params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("first", [1, 7, 12])
def test_merged_moments_are_those_of_the_union(first, x64):
    x = np.random.default_rng(first).normal(5, 2, size=(13, 2, 3))
    number, mean, variance = merge_moments(
        moments(jnp.array(x[:first])), moments(jnp.array(x[first:]))
    )
    assert number == 26
    np.testing.assert_allclose(mean, x.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(variance, x.var((0, 1)), rtol=1e-12)


def test_variance_is_precise_for_a_large_mean():
    x = (10_000 + RNG.normal(size=(64, 8, 2))).astype(np.float32)
    halves = merge_moments(moments(jnp.array(x[:32])), moments(jnp.array(x[32:])))
    np.testing.assert_allclose(halves.variance, x.astype(float).var((0, 1)), rtol=1e-3)


def test_a_constant_channel_becomes_its_bias_and_has_finite_gradients():
    params = init_batch_normalisation(2) | {"bias": jnp.array([0.5, -1.0])}
    x = jnp.full((3, 4, 2), 7.0)
    np.testing.assert_allclose(batch_normalisation(params, x), params["bias"] + 0 * x)
    gradient = jax.grad(lambda params, x: jnp.sum(batch_normalisation(params, x) ** 2), (0, 1))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient(params, x)))


def test_a_single_value_per_channel_needs_population_statistics():
    x = jnp.ones((1, 1, 1, 3))
    with pytest.raises(ValueError, match="at least two values per channel"):
        batch_normalisation(init_batch_normalisation(3), x)
    known = init_batch_normalisation(3) | {"mean": jnp.zeros(3), "variance": jnp.ones(3)}
    np.testing.assert_allclose(batch_normalisation(known, x), x, rtol=1e-5)


def test_remove_statistics_removes_only_mean_and_variance():
    layer = init_batch_normalisation(2)
    params = {"kernel": jnp.ones(3), "block": {"normalisation": layer}}
    carried = {"kernel": params["kernel"], "block": {"normalisation": layer | {
        "mean": jnp.zeros(2), "variance": jnp.ones(2)}}}  # fmt: skip
    for given_params in (params, carried):
        found = remove_statistics(given_params)
        assert jax.tree.structure(found) == jax.tree.structure(params)
        assert found["kernel"] is params["kernel"]
