"""Resampled units: directions of examples, no moments, and nothing else changes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import losses, trackers, training

FEATURES, UNITS = 5, 12
MODEL = aejax.dictionary(FEATURES, UNITS, activation=aejax.jump_relu(threshold=0.1, bandwidth=1.0))
OBJECTIVE = aejax.objective(MODEL, losses.squared, tracker=trackers.steps_since_active(UNITS))
ROWS = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
OPTIMIZER = training.constrained(optax.adam(1e-2), ROWS)
DEAD = np.arange(UNITS) % 4 == 1


def trained():
    x = np.random.default_rng(0).normal(size=(60, FEATURES)).astype(np.float32)
    x[7] *= 1e4  # an example whose squared loss exceeds that of all others together
    state, _ = training.fit(OBJECTIVE, OPTIMIZER, x, key=0, epochs=1, batch_size=20)
    return x, state._replace(tracked=jnp.where(DEAD, 9, 2))


def test_dead_units_become_a_badly_reconstructed_example_without_moments():
    x, state = trained()
    found = training.resample(OBJECTIVE, OPTIMIZER, state, x, 0, dead_after=9, batch_size=16)
    before, after = state.params, found.params
    direction = x[7] - np.asarray(before["centre"]["bias"])
    direction /= np.linalg.norm(direction)
    np.testing.assert_allclose(
        after["decoder"]["kernel"][DEAD], np.tile(direction, (DEAD.sum(), 1)), atol=1e-6
    )
    norms = np.linalg.norm(before["encoder"]["kernel"], axis=0)[~DEAD]
    columns = after["encoder"]["kernel"][:, DEAD].T
    np.testing.assert_allclose(
        columns, 0.2 * norms.mean() * after["decoder"]["kernel"][DEAD], rtol=1e-5, atol=1e-7
    )
    assert not after["encoder"]["bias"][DEAD].any()
    np.testing.assert_array_equal(after["encoder"]["threshold"][DEAD], np.float32(0.1))
    np.testing.assert_array_equal(found.tracked, np.where(DEAD, 0, 2))
    moments = found.optimizer_state[0]
    for tree in (moments.mu, moments.nu):
        assert not tree["decoder"]["kernel"][DEAD].any()
        assert not tree["encoder"]["kernel"][:, DEAD].any()
        assert tree["decoder"]["kernel"][~DEAD].any()


def test_other_units_and_the_centre_stay():
    x, state = trained()
    found = training.resample(OBJECTIVE, OPTIMIZER, state, x, 0, dead_after=9)
    for name in ("params", "mu", "nu"):
        old, new = (
            each.params if name == "params" else getattr(each.optimizer_state[0], name)
            for each in (state, found)
        )
        np.testing.assert_array_equal(old["centre"]["bias"], new["centre"]["bias"])
        np.testing.assert_array_equal(
            old["encoder"]["kernel"][:, ~DEAD], new["encoder"]["kernel"][:, ~DEAD]
        )
        np.testing.assert_array_equal(
            old["decoder"]["kernel"][~DEAD], new["decoder"]["kernel"][~DEAD]
        )
    unchanged = training.resample(OBJECTIVE, OPTIMIZER, state, x, 0, dead_after=10)
    jax.tree.map(np.testing.assert_array_equal, unchanged.params, state.params)


def test_the_momentum_of_an_optimizer_of_several_parts_is_reset():
    x = np.random.default_rng(0).normal(size=(60, FEATURES)).astype(np.float32)
    optimizer = training.muon(1e-2)
    state = training.init_state(OBJECTIVE, optimizer, key=0)
    ones = jax.tree.map(jnp.ones_like, state.optimizer_state)
    state = state._replace(optimizer_state=ones, tracked=jnp.where(DEAD, 9, 2))
    found = training.resample(OBJECTIVE, optimizer, state, x, 0, dead_after=9)
    before, after = (
        [np.asarray(leaf) for leaf in jax.tree.leaves(each.optimizer_state) if leaf.ndim == 2]
        for each in (state, found)
    )
    assert sorted(leaf.shape for leaf in after) == [(FEATURES, UNITS), (UNITS, FEATURES)]
    for old, new in zip(before, after, strict=True):
        units = 0 if new.shape[0] == UNITS else 1
        assert not np.compress(DEAD, new, axis=units).any()
        np.testing.assert_array_equal(
            np.compress(~DEAD, new, axis=units), np.compress(~DEAD, old, axis=units)
        )
    factored = optax.adafactor(1e-2, min_dim_size_to_factor=2)
    state = training.init_state(OBJECTIVE, factored, key=0)
    with pytest.raises(ValueError, match="cannot reset a moment of shape"):
        training.resample(OBJECTIVE, factored, state, x, 0, dead_after=9)


def test_a_model_that_normalises_each_example_is_refused():
    model = aejax.models.normalised_examples(MODEL, by="norm")
    tracker = trackers.steps_since_active(UNITS, select=lambda code: code.code)
    objective = aejax.objective(model, losses.squared, tracker=tracker)
    state = training.init_state(objective, OPTIMIZER, key=0)
    with pytest.raises(ValueError, match="the model normalises each example"):
        training.resample(objective, OPTIMIZER, state, np.ones((4, FEATURES)), 0, dead_after=1)


def test_a_state_without_the_tracker_is_refused():
    x, state = trained()
    with pytest.raises(ValueError, match="resample needs the steps since each unit was active"):
        training.resample(OBJECTIVE, OPTIMIZER, state._replace(tracked=None), x, 0, dead_after=1)
