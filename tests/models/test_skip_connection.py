"""Skip connections against NumPy, and a layer whose linear part they learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import TypeCheckError

import aejax
from aejax import Batch, losses, penalties, training
from aejax.models import with_skip_connection

FEATURES, UNITS, OUTPUTS, K = 6, 17, 4, 3
TRANSCODER = aejax.transcoder(FEATURES, UNITS, OUTPUTS, activation=aejax.top_k_relu(k=K))
MODEL = with_skip_connection(TRANSCODER, FEATURES, OUTPUTS)


def test_output_is_numpys(x64):
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), shapes)
    x = rng.normal(size=(9, FEATURES))
    code = MODEL.encode(params, jnp.asarray(x))
    np.testing.assert_array_equal(code["units"], TRANSCODER.encode(params, jnp.asarray(x)))
    arrays = jax.tree.map(np.asarray, params)
    expected = np.asarray(code["units"]) @ arrays["decoder"]["kernel"] + arrays["decoder"]["bias"]
    expected += x @ arrays["skip"]["kernel"]
    np.testing.assert_allclose(MODEL.decode(params, code), expected, rtol=1e-12, atol=1e-12)


def test_it_starts_as_the_model_without_and_penalties_select_the_units():
    params, x = MODEL.init(jax.random.key(0)), jnp.ones((2, FEATURES))
    assert not params["skip"]["kernel"].any()
    l1 = penalties.l1(select=lambda code: code["units"])
    objective = aejax.objective(MODEL, losses.squared, penalties={"l1": (1.0, l1)})
    batch = Batch(x, target=jnp.ones((2, OUTPUTS)))
    _, terms = objective(params, batch, jax.random.key(0))
    code = TRANSCODER.encode(params, x)
    l1 = jnp.mean(jnp.sum(jnp.abs(code), axis=1))
    np.testing.assert_allclose(terms["l1"], l1, rtol=1e-5)


def test_the_path_learns_the_linear_part_that_few_units_cannot():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(512, FEATURES)).astype(np.float32)
    y = x @ rng.normal(size=(FEATURES, OUTPUTS)).astype(np.float32)
    data = Batch(x, target=y)

    def loss(model):
        objective = aejax.objective(model, losses.squared)
        _, history = training.fit(
            objective, optax.adam(1e-2), data, key=0, epochs=20, batch_size=64
        )
        return history[-1]["loss"]

    assert loss(MODEL) < 0.5 * loss(TRANSCODER)


def test_what_does_not_fit_is_refused():
    refused = (ValueError, TypeCheckError)
    with pytest.raises(refused, match="at least 1"):
        with_skip_connection(TRANSCODER, 0, OUTPUTS)
    with pytest.raises(refused, match="has a skip connection already"):
        with_skip_connection(MODEL, FEATURES, OUTPUTS).init(jax.random.key(0))
    params = MODEL.init(jax.random.key(0))
    with pytest.raises(refused, match=r"expected an input \[batch, 6\]"):
        MODEL.decode(params, {"units": jnp.ones((2, UNITS)), "input": jnp.ones((2, 3))})
