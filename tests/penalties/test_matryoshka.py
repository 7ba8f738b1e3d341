"""Prefix losses: one prefix is the plain objective; values of NumPy; the law of random prefixes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import losses, penalties
from aejax.penalties.matryoshka import random_prefixes

FEATURES, UNITS = 5, 12
MODEL = aejax.dictionary(FEATURES, UNITS, activation=aejax.batch_top_k(k=3))
PARAMS = jax.tree.map(
    lambda leaf: jnp.asarray(np.random.default_rng(leaf.size).normal(size=leaf.shape), leaf.dtype),
    jax.eval_shape(MODEL.init, jax.random.key(0)),
)
X = jnp.asarray(np.random.default_rng(1).normal(size=(7, FEATURES)), jnp.float32)


def objective(**terms):
    return aejax.objective(MODEL, losses.squared, penalties=terms)


def test_one_prefix_of_all_units_is_the_plain_objective():
    one = objective(prefixes=(1.0, penalties.matryoshka(prefixes=[UNITS])))
    found, plain = (
        jax.jit(jax.value_and_grad(lambda params, each=each: each(params, X, 0)[0]))(PARAMS)
        for each in (one, objective())
    )
    jax.tree.map(np.testing.assert_array_equal, found, plain)


def test_prefix_losses_are_numpys():
    prefixes = (2, 5, 12)
    record = aejax.forward(objective(), PARAMS, X, 0)
    code, kernel, centre = (
        np.asarray(array, np.float64)
        for array in (record.code, PARAMS["decoder"]["kernel"], PARAMS["centre"]["bias"])
    )
    expected = sum(
        np.square(X - code[:, :prefix] @ kernel[:prefix] - centre).sum(axis=1)
        for prefix in prefixes[:-1]
    )
    penalty = penalties.matryoshka(prefixes=prefixes)
    np.testing.assert_allclose(penalty(record), expected, rtol=1e-5)
    doubled = penalty(record._replace(batch=aejax.Batch(X, weight=jnp.full(7, 2.0))))
    np.testing.assert_allclose(doubled, 2 * expected, rtol=1e-5)


def test_random_prefixes_have_the_truncated_pareto_law():
    drawn = np.asarray(random_prefixes(jax.random.key(0), 100_000, UNITS, 0.5))
    edges = np.arange(1, UNITS + 2.0) ** -0.5
    share = (edges[:-1] - edges[1:]) / (1 - edges[-1])
    found = np.bincount(drawn, minlength=UNITS + 1)[1:] / len(drawn)
    np.testing.assert_allclose(found, share, atol=6 * np.sqrt(0.25 / len(drawn)))


@pytest.mark.slow
def test_the_loss_of_random_prefixes_is_the_mean_over_their_lengths():
    record = aejax.forward(objective(), PARAMS, X, 0)
    penalty = penalties.random_matryoshka(samples=3)
    prefixes = random_prefixes(record.key, 3, UNITS, 0.5)
    prefix_losses = [
        np.square(
            X
            - record.code[:, :prefix] @ PARAMS["decoder"]["kernel"][:prefix]
            - PARAMS["centre"]["bias"]
        ).sum(axis=1)
        for prefix in prefixes.tolist()
    ]
    np.testing.assert_allclose(penalty(record), np.mean(prefix_losses, axis=0), rtol=1e-5)


def test_prefixes_that_fit_no_code_are_refused():
    for prefixes in ((0, 2), (3, 3), (5, 2)):
        with pytest.raises(ValueError, match="ascending prefixes"):
            penalties.matryoshka(prefixes=prefixes)
    with pytest.raises(ValueError, match="prefix of 13 of 12 units"):
        objective(prefixes=(1.0, penalties.matryoshka(prefixes=(13,))))(PARAMS, X, 0)
    dense = aejax.dense((FEATURES, 3))
    with pytest.raises((ValueError, KeyError)):
        aejax.objective(
            dense, losses.squared, penalties={"m": (1.0, penalties.matryoshka(prefixes=(1,)))}
        )(dense.init(jax.random.key(0)), X, 0)
