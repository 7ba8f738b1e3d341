"""Matching pursuit against a loop in NumPy, and its gradient against finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import aejax
from aejax import data, losses, models, penalties, trackers, training

FEATURES, UNITS, K = 5, 14, 4


def test_codes_are_those_of_a_loop_over_steps(x64):
    model = aejax.matching_pursuit(FEATURES, UNITS, k=K)
    rng = np.random.default_rng(0)
    kernel, centre = rng.normal(size=(UNITS, FEATURES)), rng.normal(size=FEATURES)
    params = {"decoder": {"kernel": jnp.asarray(kernel)}, "centre": {"bias": jnp.asarray(centre)}}
    x = rng.normal(size=(9, FEATURES))
    norms = np.linalg.norm(kernel, axis=1)
    expected = np.zeros((9, UNITS))
    for row, example in enumerate(x):
        residual = example - centre
        for _ in range(K):
            scores = kernel @ residual / norms
            unit = scores.argmax()
            expected[row, unit] += max(scores[unit], 0) / norms[unit]
            residual = example - centre - expected[row] @ kernel
    encode = jax.jit(model.encode)
    np.testing.assert_allclose(encode(params, jnp.asarray(x)), expected, rtol=1e-10, atol=1e-12)

    def error(params):
        return jnp.sum(jnp.square(model.decode(params, encode(params, jnp.asarray(x))) - x))

    check_grads(jax.jit(error), (params,), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_components_that_need_an_encoder_refuse_one_without():
    model = aejax.matching_pursuit(4, 8, k=2)
    params, x = model.init(jax.random.key(0)), jnp.ones((3, 4))
    auxk = penalties.auxk(k=2, dead_after=1)
    tracker = trackers.steps_since_active(8)
    objectives = [
        aejax.objective(model, losses.squared, penalties={"term": (1.0, term)}, tracker=tracker)
        for term in (auxk, penalties.gate_l1(), penalties.l0(bandwidth=1.0))
    ]
    optimizer = optax.sgd(0.1)
    state = training.init_state(objectives[0], optimizer, key=0)
    uses = [
        *(partial(objective, params, x, 0) for objective in objectives),
        partial(training.calibrate_threshold, params, x, l0=1),
        partial(training.resample, objectives[0], optimizer, state, x, 0, dead_after=1),
        partial(models.fold_normalisation, params, data.standardise(x)),
        partial(models.fold_linear_map, params, jnp.zeros(4), jnp.eye(4), jnp.eye(4)),
        partial(models.fold_decoder_norms, params),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="needs a dictionary with an encoder"):
            use()


@pytest.mark.parametrize("tolerance", [0.0, 0.7])
@pytest.mark.parametrize("stop", [False, True])
def test_examples_are_finished_as_in_a_loop_over_steps(x64, tolerance, stop):
    """Directions of different norms, which are not divided by them."""
    settings = {"tolerance": tolerance, "stop_at_repetition": stop, "unit_directions": False}
    model = aejax.matching_pursuit(FEATURES, UNITS, k=8, **settings)
    rng = np.random.default_rng(1)
    kernel, centre = 0.4 * rng.normal(size=(UNITS, FEATURES)), rng.normal(size=FEATURES)
    x = rng.normal(size=(40, FEATURES))
    steps = np.zeros(len(x), int)
    expected = np.zeros((len(x), UNITS))
    for row, residual in enumerate(x - centre):
        for steps[row] in range(1, 9):
            scores = kernel @ residual
            unit = scores.argmax()
            was_active = expected[row, unit] != 0
            value = max(scores[unit], 0)
            expected[row, unit] += value
            residual = residual - value * kernel[unit]
            if (stop and (was_active or value == 0)) or np.linalg.norm(residual) < tolerance:
                break
    assert len(np.unique(steps)) > (1 if stop or tolerance else 0)
    params = {"decoder": {"kernel": jnp.asarray(kernel)}, "centre": {"bias": jnp.asarray(centre)}}
    code = jax.jit(model.encode)(params, jnp.asarray(x))
    np.testing.assert_allclose(code, expected, rtol=1e-10, atol=1e-12)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="tolerance must lie in"):
        aejax.matching_pursuit(FEATURES, UNITS, k=1, tolerance=-1.0)
    with pytest.raises(ValueError, match="k must lie in"):
        aejax.matching_pursuit(FEATURES, UNITS, k=0)
    model = aejax.matching_pursuit(FEATURES, UNITS, k=2)
    with pytest.raises(ValueError, match=r"\[batch, 5\]"):
        model.encode(model.init(jax.random.key(0)), jnp.ones((2, 4)))
