"""A population trained in one program equals its members trained one by one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, losses, penalties, trackers, training
from aejax.training import errors, population

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (40, 6))


def make(hyperparameters):
    objective = aejax.objective(
        aejax.dense((6, 3)),
        losses.bernoulli,
        corruption=corruptions.masking(rate=hyperparameters["rate"]),
        penalties={
            "sparsity": (hyperparameters["weight"], penalties.kl_sparsity(rho=0.1)),
        },
    )
    return objective, optax.adam(hyperparameters["learning_rate"])


HYPERPARAMETERS = {
    "rate": jnp.asarray([0.0, 0.25, 0.5]),
    "weight": jnp.asarray([0.0, 1.0, 0.1]),
    "learning_rate": jnp.asarray([1e-2, 1e-3, 3e-3]),
}


def test_members_equal_separate_trainings():
    states, measured = training.fit_population(
        make, Batch(X), hyperparameters=HYPERPARAMETERS, key=KEY, epochs=3, batch_size=16
    )
    assert measured["loss"].shape == (3, 3)

    @jax.jit
    def alone(hyperparameters, key):
        return training.train(*make(hyperparameters), Batch(X), key, epochs=3, batch_size=16)

    for member, key in enumerate(jax.random.split(KEY, 3)):
        chosen = jax.tree.map(lambda values, i=member: values[i], HYPERPARAMETERS)
        state, losses_alone = alone(chosen, key)
        jax.tree.map(
            lambda a, b, i=member: np.testing.assert_allclose(a[i], b, rtol=1e-3, atol=1e-5),
            states.params,
            state.params,
        )
        np.testing.assert_allclose(measured["loss"][member], losses_alone["loss"], rtol=1e-4)


@pytest.mark.parametrize("members_at_once", [1, 2, np.int64(5)])
def test_members_in_groups_equal_separate_trainings(members_at_once):
    rates = jnp.asarray([0.1, 1.0, 40.0])
    options: dict[str, Any] = {"epochs": 4, "batch_size": 16, "validation": Batch(X[:10])}
    options |= {"patience": 2, "keep_best": True}
    states, measured = training.fit_population(
        make_rate,
        Batch(X[10:]),
        hyperparameters=rates,
        key=KEY,
        members_at_once=members_at_once,
        **options,
    )
    assert measured["loss"].shape == (3, 4)
    for member, key in enumerate(jax.random.split(KEY, 3)):
        state, history = training.fit(*make_rate(rates[member]), X[10:], key=key, **options)
        losses_alone = [record["loss"] for record in history]
        found = measured["loss"][member][: len(history)]
        np.testing.assert_allclose(found, losses_alone, rtol=1e-4)
        jax.tree.map(
            lambda a, b, i=member: np.testing.assert_allclose(a[i], b, rtol=1e-3, atol=1e-4),
            states.params,
            state.params,
        )
        assert bool(states.key[member] == state.key)


@pytest.mark.parametrize("members_at_once", [0, -1])
def test_wrong_numbers_of_members_at_once_are_refused(members_at_once):
    with pytest.raises(ValueError, match="members_at_once must lie in"):
        training.fit_population(
            make_rate,
            X,
            hyperparameters=jnp.ones(2),
            key=KEY,
            epochs=1,
            members_at_once=members_at_once,
        )


def test_members_one_after_another_need_the_temporary_memory_of_one():
    def temporary_bytes(members_at_once):
        program = population._train_members.lower(
            make_rate,
            jnp.ones(8),
            jax.random.split(KEY, 8),
            Batch(X),
            None,
            epochs=1,
            batch_size=40,
            patience=None,
            keep_best=False,
            members_at_once=members_at_once,
        ).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert temporary_bytes(1) < temporary_bytes(8) / 2


@pytest.mark.parametrize(
    "hyperparameters",
    [{}, {"a": jnp.zeros(())}, {"a": jnp.zeros(2), "b": jnp.zeros(3)}, jnp.zeros(0)],
)
def test_hyperparameters_without_a_common_leading_axis_are_refused(hyperparameters):
    with pytest.raises(ValueError, match="same leading axis of members"):
        training.fit_population(make, Batch(X), hyperparameters=hyperparameters, key=KEY, epochs=1)


def test_a_member_out_of_range_is_refused_before_anything_is_compiled():
    rates = HYPERPARAMETERS | {"rate": jnp.asarray([0.0, 0.25, 1.5])}
    with pytest.raises(ValueError, match=r"masking rate must lie in \[0, 1\], got 1.5"):
        training.fit_population(make, Batch(X), hyperparameters=rates, key=KEY, epochs=1)


def test_targets_outside_the_support_of_the_loss_are_refused():
    with pytest.raises(ValueError, match=r"x has values outside \[0, 1\]"):
        training.fit_population(
            make, Batch(X - 1), hyperparameters=HYPERPARAMETERS, key=KEY, epochs=1, batch_size=16
        )


def make_rate(rate):
    return aejax.objective(aejax.dense((6, 3)), losses.bernoulli), optax.sgd(rate)


def test_results_do_not_depend_on_the_number_of_cores(monkeypatch):
    def trained(cores):
        monkeypatch.setattr(population.os, "cpu_count", lambda: cores)
        rates = jnp.linspace(0.1, 1, 25)
        return training.fit_population(
            make_rate, Batch(X), hyperparameters=rates, key=KEY, epochs=2, batch_size=16
        )

    (states, measured), (alone, measured_alone) = trained(3), trained(1)
    assert measured["loss"].shape == (25, 2)
    np.testing.assert_allclose(measured["loss"], measured_alone["loss"], rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        states.params,
        alone.params,
    )
    np.testing.assert_array_equal(jax.random.key_data(states.key), jax.random.key_data(alone.key))


def test_each_member_stops_early_as_in_fit():
    rates = jnp.asarray([0.01, 3.0, 40.0])
    options = {"epochs": 12, "batch_size": 16, "validation": Batch(X[:10]), "patience": 2}
    data = Batch(X[10:])
    states, measured = training.fit_population(
        make_rate, data, hyperparameters=rates, key=KEY, **options
    )
    assert int(states.epoch[0]) == 12
    assert int(states.epoch.min()) < 12
    for member, key in enumerate(jax.random.split(KEY, 3)):
        objective, optimizer = make_rate(rates[member])
        state, history = training.fit(objective, optimizer, data, key=key, **options)
        assert int(states.epoch[member]) == int(state.epoch) == len(history)
        losses_of_epochs = [record["validation"]["loss"] for record in history]
        found = np.asarray(measured["validation_loss"][member])
        np.testing.assert_allclose(found[: len(history)], losses_of_epochs, rtol=1e-4)
        np.testing.assert_array_equal(found[len(history) :], found[len(history) - 1])
        jax.tree.map(
            lambda a, b, i=member: np.testing.assert_allclose(a[i], b, rtol=1e-3, atol=1e-4),
            states.params,
            state.params,
        )


def test_populations_too_large_for_memory_are_refused_before_training(monkeypatch):
    monkeypatch.setattr(errors, "_memory_of", lambda device: 1000)
    with pytest.raises(training.OutOfMemoryError, match=r"GiB are needed .* train fewer members"):
        training.fit_population(
            make, Batch(X), hyperparameters=HYPERPARAMETERS, key=KEY, epochs=1, batch_size=16
        )


def test_lists_of_hyperparameters_and_no_devices_are_refused():
    options = {"key": KEY, "epochs": 1}
    for hyperparameters in ({"rate": [0.1, 0.2]}, {"rate": 0.1}):
        with pytest.raises(ValueError, match=r"convert lists by numpy.asarray"):
            training.fit_population(make, X, hyperparameters=hyperparameters, **options)
    with pytest.raises(ValueError, match="devices must be one or more"):
        training.fit_population(make, X, hyperparameters=HYPERPARAMETERS, devices=[], **options)


def test_members_with_the_same_key_are_paired():
    keys = jax.random.split(KEY, 2)
    options = {"epochs": 2, "batch_size": 16}
    rates = jnp.asarray([0.1, 0.1, 1.0])
    states, _ = training.fit_population(
        make_rate, X, hyperparameters=rates, key=keys[jnp.asarray([0, 1, 0])], **options
    )
    single, _ = training.fit_population(make_rate, X, hyperparameters=rates[:2], key=KEY, **options)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a[:2], b, rtol=1e-5, atol=1e-7),
        states.params,
        single.params,
    )
    frozen, _ = training.fit_population(
        make_rate, X, hyperparameters=rates * 0, key=keys[jnp.asarray([0, 1, 0])], **options
    )
    kernel = np.asarray(frozen.params["encoder"]["layer_0"]["kernel"])
    np.testing.assert_array_equal(kernel[0], kernel[2])
    assert np.abs(kernel[0] - kernel[1]).max() > 0.1
    with pytest.raises(ValueError, match=r"one key or 3, one per member, got \[2\]"):
        training.fit_population(make_rate, X, hyperparameters=rates, key=keys, **options)


@pytest.mark.parametrize("patience", [None, 2])
def test_the_best_states_are_those_of_fit(patience):
    rates = jnp.asarray([0.01, 3.0, 40.0])
    options = {"epochs": 6, "batch_size": 16, "validation": Batch(X[:10]), "patience": patience}
    states, measured = training.fit_population(
        make_rate, Batch(X[10:]), hyperparameters=rates, key=KEY, keep_best=True, **options
    )
    assert measured["validation_loss"].shape == (3, 6)
    for member, key in enumerate(jax.random.split(KEY, 3)):
        state, _ = training.fit(
            *make_rate(rates[member]), Batch(X[10:]), key=key, keep_best=True, **options
        )
        assert int(states.epoch[member]) == int(state.epoch)
        assert int(states.step[member]) == int(state.step)
        jax.tree.map(
            lambda a, b, i=member: np.testing.assert_allclose(a[i], b, rtol=1e-3, atol=1e-4),
            states.params,
            state.params,
        )
    assert len({int(epoch) for epoch in states.epoch}) > 1


def test_the_best_state_needs_validation():
    with pytest.raises(ValueError, match="keep_best needs validation data"):
        training.fit_population(
            make_rate, X, hyperparameters=jnp.ones(2), key=KEY, epochs=1, keep_best=True
        )


@pytest.mark.parametrize(
    "select", [aejax.top_k_relu, pytest.param(aejax.batch_top_k, marks=pytest.mark.slow)]
)
def test_dictionaries_with_several_k_rates_and_seeds_equal_separate_trainings(select):
    def dictionary(activation, rate):
        objective = aejax.objective(
            aejax.dictionary(6, 10, activation=activation),
            losses.squared,
            penalties={"auxk": (1 / 32, penalties.auxk(k=3, dead_after=2))},
            tracker=trackers.steps_since_active(10),
        )
        directions = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
        return objective, training.constrained(optax.sgd(rate), directions)

    def make(values):
        return dictionary(select(k=values["k"], at_most=4), values["rate"])

    k, rates, seeds = jnp.array([1, 4]), jnp.array([3e-2, 1e-2]), [3, 5]
    options: dict[str, Any] = {"epochs": 3, "batch_size": 8}
    states, measured = training.fit_population(
        make,
        X,
        hyperparameters={"k": k, "rate": rates},
        key=jnp.stack([jax.random.key(seed) for seed in seeds]),
        **options,
    )
    for member, seed in enumerate(seeds):
        made = dictionary(select(k=int(k[member])), float(rates[member]))
        state, history = training.fit(*made, X, key=seed, **options)
        found = jax.tree.map(lambda leaf, i=member: leaf[i], states)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            found.params,
            state.params,
        )
        np.testing.assert_array_equal(found.tracked, state.tracked)
        losses_alone = [record["loss"] for record in history]
        np.testing.assert_allclose(measured["loss"][member], losses_alone, rtol=1e-4)
