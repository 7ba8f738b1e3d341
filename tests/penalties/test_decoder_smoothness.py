"""Penalties of regularised deterministic autoencoders, by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from aejax import losses, penalties

MODEL = aejax.dense((6, 5, 2), code_activation=jax.nn.identity, activation=jnp.tanh)


def test_the_slope_of_the_decoder_is_that_of_finite_differences(x64):
    params = MODEL.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (4, 6))
    objective = aejax.objective(MODEL, losses.squared)
    record = aejax.forward(objective, params, aejax.Batch(x), jax.random.key(2))
    decode, step = jax.jit(MODEL.decode), 1e-6
    total = np.zeros(4)
    for unit in np.eye(2):
        ahead, behind = (decode(params, record.code + sign * step * unit) for sign in (1, -1))
        total += np.square((np.asarray(ahead) - behind) / (2 * step)).sum(axis=1)
    np.testing.assert_allclose(penalties.decoder_gradient()(record), total / 2, rtol=1e-7)
    np.testing.assert_allclose(
        penalties.code_norm()(record), np.square(record.code).sum(axis=1) / 2, rtol=1e-12
    )


def test_the_decay_of_the_decoder_alone_is_l2_of_its_kernels():
    decay = penalties.l2(select=lambda params: penalties.kernels(params["decoder"]))
    objective = aejax.objective(MODEL, losses.squared, penalties={"decay": (1.0, decay)})
    params = MODEL.init(jax.random.key(0))
    _, terms = objective(params, jnp.ones((2, 6)), jax.random.key(1))
    expected = sum(np.square(layer["kernel"]).sum() for layer in params["decoder"].values())
    np.testing.assert_allclose(terms["decay"], expected, rtol=1e-6)
