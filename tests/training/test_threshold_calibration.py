"""Thresholds against a sort of all pre-activations; L0 in use is that of training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import Batch, losses, training
from aejax.layers.dictionary_layers import pre_activations
from aejax.training import Stream, calibrate_threshold

FEATURES, UNITS, K = 6, 24, 4
MODEL = aejax.dictionary(FEATURES, UNITS, activation=aejax.batch_top_k(k=K))
X = np.random.default_rng(0).normal(size=(500, FEATURES))


@pytest.mark.parametrize("is_double", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_threshold_is_the_order_statistic_of_all_pre_activations(is_double):
    with jax.enable_x64(is_double):
        x = jnp.asarray(X, float)
        params = MODEL.init(jax.random.key(0))
        z = np.sort(np.asarray(pre_activations(params, x)), axis=None)[::-1]
        for l0 in (0.0, 0.5, 3.3, 7.0):
            found = calibrate_threshold(params, x, l0=l0, batch_size=500)
            threshold = found["encoder"]["threshold"]
            assert threshold.shape == (UNITS,)
            assert threshold[0] == z[round(l0 * len(x))]
            active = np.sum(np.asarray(MODEL.encode(found, x)) != 0)
            assert active == pytest.approx(round(l0 * len(x)), abs=1)


def test_a_stream_and_data_in_memory_give_the_same_threshold():
    params, x = MODEL.init(jax.random.key(0)), X.astype(np.float32)
    stream = Stream(lambda rows: Batch(x[rows]), 500, 200)
    streamed = calibrate_threshold(params, stream, l0=K)
    again = calibrate_threshold(streamed, x, l0=K, batch_size=200)  # replaces the threshold
    jax.tree.map(np.testing.assert_array_equal, streamed, again)


def test_l0_in_use_is_that_of_training():
    objective = aejax.objective(MODEL, losses.squared)
    x = jnp.asarray(X, jnp.float32)
    state, _ = training.fit(objective, optax.adam(1e-2), x, key=0, epochs=5, batch_size=100)
    trained = [np.sum(MODEL.encode(state.params, part) != 0) for part in jnp.split(x, 5)]
    assert np.sum(trained) == K * len(x)
    params = calibrate_threshold(state.params, x, l0=K, batch_size=250)
    in_use = [np.sum(MODEL.encode(params, part) != 0) for part in jnp.split(x, 20)]
    assert np.sum(in_use) == pytest.approx(K * len(x), rel=0.01)


def test_what_cannot_be_reached_is_refused():
    params = MODEL.init(jax.random.key(0))
    with pytest.raises(ValueError, match="l0 = 23 cannot be reached: on average"):
        calibrate_threshold(params, jnp.asarray(X, jnp.float32), l0=23)
    with pytest.raises(ValueError, match="a pre-activation is NaN or infinite"):
        calibrate_threshold(params, jnp.asarray(X, jnp.float32).at[3].set(jnp.nan), l0=K)
    with pytest.raises((ValueError, TypeCheckError), match="l0"):
        calibrate_threshold(params, jnp.asarray(X, jnp.float32), l0=-1.0)
