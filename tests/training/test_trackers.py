"""Trackers: state beside the parameters, in steps, epochs, populations, streams and checkpoints."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import checkpoints, training
from aejax.contracts import check_tracker
from aejax.training import Stream
from aejax.types import Batch

X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
UNITS = 12


def steps_since_active() -> aejax.Tracker:
    """Number of steps since each unit was last active."""
    return aejax.Tracker(
        lambda params: jnp.zeros(UNITS, jnp.int32),
        lambda record: jnp.mean(record.code != 0, axis=0),
        lambda tracked, active: jnp.where(active > 0, 0, tracked + 1),
    )


def make_objective(**settings) -> aejax.Objective:
    model = aejax.dense((6, UNITS), code_activation=aejax.top_k(k=1))
    return aejax.objective(model, aejax.losses.squared, tracker=steps_since_active(), **settings)


def assert_trees_equal(found, expected) -> None:
    """Compare two trees bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, *map(_readable, (found, expected)))


def _readable(tree):
    return jax.tree.map(
        lambda leaf: (
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        ),
        tree,
    )


OPTIMIZER = optax.adam(1e-2)


def test_a_tracker_sees_every_step():
    objective = make_objective()
    state = training.init_state(objective, OPTIMIZER, 0)
    expected = np.zeros(UNITS, int)
    for start in range(0, 50, 10):
        batch = Batch(jnp.asarray(X[start : start + 10]))
        code = np.asarray(objective.model.encode(state.params, batch.x))
        expected = np.where((code != 0).any(axis=0), 0, expected + 1)
        state, _ = training.step(objective, OPTIMIZER, state, batch)
        np.testing.assert_array_equal(state.tracked, expected)
    assert expected.max() > 0


def test_a_penalty_sees_the_state_before_its_step():
    seen = []

    def penalty(record):
        jax.debug.callback(lambda tracked: seen.append(np.array(tracked)), record.tracked)
        return jnp.sum(record.tracked) * jnp.zeros((), record.output.dtype)

    objective = make_objective(penalties={"tracked": (1.0, penalty)})
    state = training.init_state(objective, OPTIMIZER, 0)
    before = []
    for start in range(0, 30, 10):
        before.append(np.array(state.tracked))
        batch = Batch(jnp.asarray(X[start : start + 10]))
        state, _ = training.step(objective, OPTIMIZER, state, batch)
    jax.effects_barrier()
    for given, expected in zip(seen, before, strict=True):
        np.testing.assert_array_equal(given, expected)


def test_accumulated_statistics_are_those_of_the_whole_batch():
    objective = make_objective()
    state = training.init_state(objective, OPTIMIZER, 0)
    batch = Batch(jnp.asarray(X))
    parts = training.accumulated(part_size=7)
    whole, _ = training.step(objective, OPTIMIZER, state, batch)
    divided, _ = training.step(objective, OPTIMIZER, state, batch, gradient_of=parts)
    np.testing.assert_array_equal(whole.tracked, divided.tracked)
    np.testing.assert_array_equal(
        whole.tracked, (np.asarray(objective.model.encode(state.params, batch.x)) == 0).all(axis=0)
    )


def test_training_resumes_bit_identically_with_its_tracker(tmp_path):
    objective = make_objective()
    settings = {"batch_size": 16, "validation": X[:20]}
    whole, _ = training.fit(objective, OPTIMIZER, X, key=1, epochs=4, **settings)
    half, history = training.fit(objective, OPTIMIZER, X, key=1, epochs=2, **settings)
    checkpoints.save(tmp_path, half, configuration={})
    restored, _ = checkpoints.restore(tmp_path, like=half)
    assert_trees_equal(restored, half)
    again, _ = training.fit(
        objective, OPTIMIZER, X, state=restored, history=history, epochs=4, **settings
    )
    assert_trees_equal(again, whole)


def test_a_dictionary_on_a_stream_resumes_bit_identically(tmp_path):
    """BatchTopK with prefixes, AuxK by the tracker, and directions of unit norm."""
    objective = aejax.objective(
        aejax.dictionary(6, UNITS, activation=aejax.batch_top_k(k=1)),
        aejax.losses.squared,
        penalties={
            "auxk": (1 / 32, aejax.penalties.auxk(k=3, dead_after=2)),
            "prefixes": (1.0, aejax.penalties.matryoshka(prefixes=(4,))),
        },
        tracker=aejax.trackers.steps_since_active(UNITS),
    )
    directions = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    optimizer = training.constrained(OPTIMIZER, directions)
    stream = Stream(lambda rows: Batch(X[rows]), 50, 16)

    def fit(epochs, **start):
        return training.fit_stream(
            objective, optimizer, stream, epochs=epochs, steps_per_epoch=3, **start
        )

    whole, _ = fit(4, key=1)
    half, history = fit(2, key=1)
    checkpoints.save(tmp_path, half, configuration={})
    restored, _ = checkpoints.restore(tmp_path, like=half)
    again, _ = fit(4, state=restored, history=history)
    assert half.tracked.max() > 2  # units are dead where the training is interrupted
    assert_trees_equal(again, whole)


def test_a_stream_and_a_population_track_as_data_in_memory():
    objective = make_objective()
    members, _ = training.fit_population(
        lambda rate: (make_objective(), optax.sgd(rate)),
        X,
        hyperparameters=jnp.array([1e-2, 1e-1]),
        key=jnp.stack([jax.random.key(3)] * 2),
        epochs=2,
        batch_size=10,
    )
    for index, rate in enumerate((1e-2, 1e-1)):
        alone, _ = training.fit(objective, optax.sgd(rate), X, key=3, epochs=2, batch_size=10)
        np.testing.assert_array_equal(members.tracked[index], alone.tracked)
    stream = Stream(lambda rows: Batch(X[rows]), 50, 10)
    streamed, _ = training.fit_stream(objective, OPTIMIZER, stream, key=3, epochs=2)
    assert streamed.tracked.shape == (UNITS,)
    assert streamed.tracked.max() <= streamed.step


def test_a_state_without_the_tracker_is_refused():
    objective = make_objective()
    other = aejax.objective(objective.model, objective.loss)
    state = training.init_state(other, OPTIMIZER, 0)
    with pytest.raises(ValueError, match="belongs to another tracker"):
        training.fit(objective, OPTIMIZER, X, state=state, epochs=1)


def test_a_factory_or_another_object_is_refused_as_tracker():
    for wrong in (steps_since_active, "steps", (1, 2)):
        with pytest.raises(ValueError, match=r"the tracker must be an aejax\.Tracker"):
            check_tracker(wrong)


def test_statistics_and_updates_of_other_dtypes_are_refused():
    def step_with(**functions):
        tracker = steps_since_active()._replace(**functions)
        objective = aejax.objective(make_objective().model, aejax.losses.squared, tracker=tracker)
        state = training.init_state(objective, OPTIMIZER, 0)
        training.step(objective, OPTIMIZER, state, Batch(jnp.asarray(X)))

    with pytest.raises(ValueError, match="floating-point means over the examples"):
        step_with(measure=lambda record: jnp.any(record.code != 0, axis=0))
    with pytest.raises(ValueError, match="tracker's update must preserve shape and dtype"):
        step_with(update=lambda tracked, active: jnp.where(active > 0, 0.0, tracked + 1.0))
