"""Sparse dictionaries against NumPy in float64: code, output, initial parameters, training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import Batch, data, losses, penalties, trackers, training
from aejax.training import constrained, unit_norm

FEATURES, UNITS, K = 7, 19, 3
DIRECTIONS = unit_norm(select=lambda params: params["decoder"]["kernel"])


def draw_params(model, seed=0):
    """Parameters of the model with random values, so that no bias is zero."""
    rng = np.random.default_rng(seed)
    params = jax.eval_shape(model.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), params)


@pytest.mark.parametrize("centred", [True, False])
def test_code_and_output_are_numpys(x64, centred):
    activation = aejax.top_k_relu(k=K)
    model = aejax.dictionary(FEATURES, UNITS, activation=activation, centred=centred)
    params = draw_params(model)
    x = np.random.default_rng(1).normal(size=(11, FEATURES))
    arrays = jax.tree.map(np.asarray, params)
    bias = arrays["centre" if centred else "decoder"]["bias"]
    z = (x - bias * centred) @ arrays["encoder"]["kernel"] + arrays["encoder"]["bias"]
    kth = np.sort(z, axis=1)[:, -K, None]
    expected = np.where((z >= kth) & (z > 0), z, 0)
    code = model.encode(params, jnp.asarray(x))
    np.testing.assert_allclose(code, expected, rtol=1e-12)
    output = expected @ arrays["decoder"]["kernel"] + bias
    np.testing.assert_allclose(model.decode(params, code), output, rtol=1e-12, atol=1e-12)


def test_a_dictionary_starts_with_the_transpose_of_unit_directions():
    params = aejax.dictionary(FEATURES, UNITS, decoder_norm=0.5).init(jax.random.key(0))
    directions = params["decoder"]["kernel"]
    np.testing.assert_array_equal(params["encoder"]["kernel"], directions.T)
    np.testing.assert_allclose(jnp.linalg.norm(directions, axis=1), 0.5, rtol=1e-6)
    assert not params["encoder"]["bias"].any()
    assert not params["centre"]["bias"].any()


@pytest.mark.slow
def test_a_transcoder_learns_a_linear_map_of_its_input():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 4)).astype(np.float32)
    y = x @ rng.normal(size=(4, 3)).astype(np.float32) + 2
    model = aejax.transcoder(4, 16, 3)
    assert not model.init(jax.random.key(0))["decoder"]["kernel"].any()
    objective = aejax.objective(model, losses.squared)
    data = Batch(x, target=y)
    _, history = training.fit(objective, optax.adam(3e-2), data, key=0, epochs=40, batch_size=64)
    assert history[-1]["loss"] < 0.02 * y.var(axis=0).sum()


def make_objective(*, dead_after=3, **settings):
    model = aejax.dictionary(FEATURES, UNITS, activation=aejax.top_k_relu(k=K), **settings)
    auxk = penalties.auxk(k=4, dead_after=dead_after)
    return aejax.objective(
        model,
        losses.squared,
        penalties={"auxk": (1 / 32, auxk)},
        tracker=trackers.steps_since_active(UNITS),
    )


def planted(examples):
    """Examples with two active directions each."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(UNITS, FEATURES))
    order = rng.random((examples, UNITS)).argsort(axis=1)
    code = np.where(order < 2, rng.uniform(0.5, 1.5, (examples, UNITS)), 0)
    return (code @ directions).astype(np.float32)


def test_training_resumes_bit_identically_with_tracker_auxk_and_unit_directions():
    objective, optimizer = make_objective(), constrained(optax.adam(1e-2), DIRECTIONS)
    x = planted(90)
    settings = {"batch_size": 30}
    whole, history = training.fit(objective, optimizer, x, key=1, epochs=6, **settings)
    half, first = training.fit(objective, optimizer, x, key=1, epochs=3, **settings)
    again, _ = training.fit(
        objective, optimizer, x, state=half, history=first, epochs=6, **settings
    )
    for found, expected in zip(
        jax.tree.leaves(again._replace(key=None)),
        jax.tree.leaves(whole._replace(key=None)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
    norms = jnp.linalg.norm(whole.params["decoder"]["kernel"], axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    assert history[-1]["loss"] < history[0]["loss"]


@pytest.mark.slow
def test_a_population_equals_its_members():
    def make(rate):
        return make_objective(), constrained(optax.sgd(rate), DIRECTIONS)

    x = planted(60)
    states, _ = training.fit_population(
        make,
        x,
        hyperparameters=jnp.array([1e-2, 3e-2]),
        key=jnp.stack([jax.random.key(3)] * 2),
        epochs=3,
        batch_size=20,
    )
    objective, optimizer = make(3e-2)
    alone, _ = training.fit(objective, optimizer, x, key=3, epochs=3, batch_size=20)
    np.testing.assert_array_equal(states.tracked[1], alone.tracked)
    np.testing.assert_allclose(
        states.params["decoder"]["kernel"][1], alone.params["decoder"]["kernel"], atol=2e-6
    )


def test_wrong_arguments_are_refused():
    refused = (ValueError, TypeCheckError)
    with pytest.raises(refused, match="units"):
        aejax.dictionary(4, 0)
    with pytest.raises(refused, match="decoder_norm"):
        aejax.dictionary(4, 8, decoder_norm=0.0)
    with pytest.raises(ValueError, match="activation of a dictionary"):
        aejax.dictionary(4, 8, activation=aejax.top_k_relu)  # pyright: ignore
    model = aejax.dictionary(4, 8, activation=lambda z: z[:, :2])
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match="preserve shape and dtype"):
        model.encode(params, jnp.ones((2, 4)))
    with pytest.raises(refused, match=r"\[batch, 4\]"):
        model.encode(params, jnp.ones((2, 5)))
    with pytest.raises(refused, match=r"\[batch, 8\]"):
        model.decode(params, jnp.ones((2, 5)))


def test_initial_directions_are_not_the_known_features_of_the_same_key():
    key = jax.random.key(0)
    truth = data.draw_dictionary(key, data.DictionaryLaw(96, 32, roots=0, orthogonal_steps=1))
    for own in (key, *jax.random.split(key)):
        rows = aejax.dictionary(32, 64).init(own)["decoder"]["kernel"]
        assert np.abs(rows @ truth.directions.T).max() < 0.9
