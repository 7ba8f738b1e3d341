"""Overcomplete autoencoders copy, and each regulariser prevents it, measured on digits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, evaluation, losses, penalties, training

HIDDEN = 128
KEY = jax.random.key(1)
PLAIN = {"l2": 0.0, "l1": 0.0, "kl": 0.0, "contraction": 0.0, "masking": 0.0}
REGULARISERS = {"l2": 0.01, "l1": 0.1, "kl": 1.0, "contraction": 1.0, "masking": 0.5}


@pytest.fixture(scope="module")
def digits():
    digits = aejax.data.digits()
    scale = aejax.data.unit_range(digits.x_train, low=0, high=16)
    return [
        jnp.asarray(aejax.data.normalise(scale, x).reshape(len(x), -1), "float32")
        for x in (digits.x_train, digits.x_test)
    ]


def objective_of(levels: dict) -> aejax.Objective:
    """Objective with twice as many code units as features, and these penalties and masking."""
    return aejax.objective(
        aejax.dense((64, HIDDEN)),
        losses.squared,
        corruption=corruptions.masking(rate=levels["masking"]),
        penalties={
            "l2": (levels["l2"], penalties.l2()),
            "l1": (levels["l1"], penalties.l1()),
            "kl": (levels["kl"], penalties.kl_sparsity(rho=0.05)),
            "contraction": (levels["contraction"], penalties.contractive_logistic()),
        },
    )


@pytest.fixture(scope="module")
def measured(digits):
    """The plain autoencoder and each regulariser alone, trained as one population."""
    x_train, x_test = digits
    members = {"plain": PLAIN} | {name: PLAIN | {name: REGULARISERS[name]} for name in REGULARISERS}
    state, _ = training.fit_population(
        lambda levels: (objective_of(levels), optax.adam(5e-3)),
        Batch(x_train),
        hyperparameters=jax.tree.map(lambda *levels: jnp.asarray(levels), *members.values()),
        key=jax.random.key(0),
        epochs=80,
        batch_size=100,
    )

    @jax.vmap
    def measure(params):
        return evaluation.copying(objective_of(PLAIN), params, x_test, KEY)

    shares = np.asarray(measure(state.params)).T
    return {name: evaluation.Copying(*share) for name, share in zip(members, shares, strict=True)}


def test_an_overcomplete_autoencoder_copies_noise_nearly_as_well_as_data(measured):
    data, noise = measured["plain"]
    assert data < 0.005
    assert noise < 0.03


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_each_regulariser_ends_the_copying(measured, regulariser):
    data, noise = measured[regulariser]
    assert data < 0.4
    assert noise > 20 * measured["plain"].noise
    assert noise - data > 0.2


def test_a_k_sparse_code_ends_the_copying(digits):
    x_train, x_test = digits
    model = aejax.dense((64, HIDDEN), code_activation=aejax.top_k(k=5))
    objective = aejax.objective(model, losses.squared)
    state, _ = training.fit(
        objective,
        optax.adam(3e-3),
        Batch(x_train),
        key=jax.random.key(0),
        epochs=40,
        batch_size=100,
    )
    data, noise = evaluation.copying(objective, state.params, x_test, KEY)
    assert data < 0.4
    assert noise - data > 0.2


def identity() -> tuple[aejax.Objective, dict]:
    """An autoencoder that copies exactly."""
    objective = aejax.objective(aejax.linear(4, 4, bias=False), losses.squared)
    layer = {"layer_0": {"kernel": jnp.eye(4)}}
    return objective, {"encoder": layer, "decoder": layer}


def test_the_error_is_0_for_the_identity_and_1_for_the_constant_mean():
    x = jax.random.normal(jax.random.key(0), (50, 4))
    x = x - x.mean(axis=0)
    objective, params = identity()
    np.testing.assert_allclose(evaluation.copying(objective, params, x, KEY), [0, 0], atol=1e-12)
    nothing = jax.tree.map(jnp.zeros_like, params)
    np.testing.assert_allclose(evaluation.copying(objective, nothing, x, KEY), [1, 1], rtol=1e-6)


def test_shuffling_preserves_marginals_and_removes_correlations():
    x = jnp.tile(jnp.arange(2000.0)[:, None], (1, 3))
    noise = np.asarray(evaluation.shuffled(KEY, x))
    np.testing.assert_array_equal(np.sort(noise, axis=0), x)
    correlations = np.corrcoef(noise.T)[np.triu_indices(3, 1)]
    assert np.all(np.abs(correlations) < 6 / np.sqrt(2000))
