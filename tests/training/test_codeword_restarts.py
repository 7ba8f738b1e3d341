"""Restarted codewords: codes of examples, no moments, and nothing else changes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import evaluation, losses, models, training
from tests.training.averaged_codebooks import OPTIMIZER, X, make_objective

RESTART = jax.jit(training.restart_codewords, static_argnums=(0, 1), static_argnames="batch_size")


def trained(objective, optimizer=OPTIMIZER):
    return training.fit(objective, optimizer, X, key=0, epochs=2, batch_size=25)[0]


def usage_of(objective, state, codewords=16):
    indices = jax.jit(objective.model.encode)(state.params, jnp.asarray(X)).indices
    return evaluation.codebook_usage(
        indices.reshape(len(X), -1), codewords=codewords, per_position=True
    )


@pytest.mark.parametrize("depth", [1, 2])
def test_dead_codewords_become_different_codes_of_examples(depth):
    objective = make_objective(depth=depth)
    state = trained(objective)
    before = usage_of(objective, state)
    dead = np.asarray(before.counts) == 0
    assert 0 < dead.sum() < dead.size
    found = RESTART(objective, OPTIMIZER, state, X, jax.random.key(1), batch_size=20)
    again = RESTART(objective, OPTIMIZER, state, X, jax.random.key(1), batch_size=50)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found.params, again.params
    )
    shape = (depth, 16, 3)
    old, new = (
        np.asarray(each.params["quantiser"]["codebook"]).reshape(shape) for each in (state, found)
    )
    rest = np.asarray(objective.model.encode(state.params, jnp.asarray(X)).continuous)
    indices = np.asarray(objective.model.encode(state.params, jnp.asarray(X)).indices).reshape(
        len(X), depth
    )
    for level in range(depth):
        np.testing.assert_array_equal(old[level][~dead[level]], new[level][~dead[level]])
        distances = np.abs(new[level][dead[level]][:, None] - rest).max(axis=2)
        assert (distances.min(axis=1) < 1e-5).all()
        assert len(np.unique(distances.argmin(axis=1))) == dead[level].sum()
        rest = rest - old[level][indices[:, level]]
    after = usage_of(objective, found)
    assert (after.perplexity > before.perplexity).all()
    usage = np.asarray(found.params["quantiser"]["usage"]).reshape(depth, 16)
    old_usage = np.asarray(state.params["quantiser"]["usage"]).reshape(depth, 16)
    np.testing.assert_array_equal(usage, np.where(dead, 0, old_usage))


def test_all_else_stays_and_moments_of_restarted_codewords_are_zero():
    base = aejax.dense((6, 3), code_activation=jax.nn.identity)
    model = models.vector_quantised(base, codewords=16, channels=3)
    terms = make_objective().penalties
    objective = aejax.objective(model, losses.squared, penalties=terms)
    optimizer = optax.adam(1e-2)
    state = trained(objective, optimizer)
    moments = jax.tree.map(lambda leaf: leaf + 1, state.optimizer_state[0].mu)
    state = state._replace(
        optimizer_state=(state.optimizer_state[0]._replace(mu=moments), state.optimizer_state[1])
    )
    dead = np.asarray(usage_of(objective, state).counts)[0] == 0
    found = RESTART(objective, optimizer, state, X, jax.random.key(1))
    mu = found.optimizer_state[0].mu
    assert not mu["quantiser"]["codebook"][dead].any()
    np.testing.assert_array_equal(
        mu["quantiser"]["codebook"][~dead], moments["quantiser"]["codebook"][~dead]
    )
    for side in ("encoder", "decoder"):
        jax.tree.map(np.testing.assert_array_equal, mu[side], moments[side])
        jax.tree.map(np.testing.assert_array_equal, found.params[side], state.params[side])
    assert (found.step, found.epoch) == (state.step, state.epoch)


def test_codewords_far_below_the_uniform_share_are_dead_and_infinity_replaces_all():
    objective = make_objective()
    state = trained(objective)
    counts = np.asarray(usage_of(objective, state).counts)[0]
    level = counts[counts > 0].min() / (len(X) / 16)  # the rarest codeword that is used
    old = state.params["quantiser"]["codebook"]

    def changed(dead_below):
        found = RESTART(objective, OPTIMIZER, state, X, jax.random.key(1), dead_below=dead_below)
        return np.asarray((found.params["quantiser"]["codebook"] != old).any(axis=1))

    np.testing.assert_array_equal(changed(0.99 * level), counts == 0)
    np.testing.assert_array_equal(changed(1.01 * level), counts <= counts[counts > 0].min())
    assert changed(math.inf).all()


def test_unsuitable_arguments_are_refused():
    objective = aejax.objective(aejax.dense((6, 3)), losses.squared)
    optimizer = optax.sgd(0.1)
    state = training.init_state(objective, optimizer, 0)
    with pytest.raises(ValueError, match="needs the codebook"):
        training.restart_codewords(objective, optimizer, state, jnp.asarray(X), 1)
    with pytest.raises(ValueError, match="dead_below must lie in"):
        training.restart_codewords(
            objective, optimizer, state, X, jax.random.key(1), dead_below=0.0
        )


def test_unsuitable_data_are_refused():
    """A NaN among the drawn codes would be a codeword, and no code is near to it."""
    objective = make_objective(depth=1)
    state = training.init_state(objective, OPTIMIZER, 0)
    for data, message in (
        (np.where(np.arange(len(X))[:, None] == 3, np.nan, X), "x has NaN or infinity: .* index"),
        (X[:0], "x is empty, shape .*; expected at least one example"),
    ):
        with pytest.raises(ValueError, match=message):
            training.restart_codewords(objective, OPTIMIZER, state, data, 1)
