"""Calibration: the calibrated model computes what training computes for all data as one batch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen

import aejax
from aejax import Batch, losses, training
from aejax.layers.batch_normalisation import (
    batch_normalisation,
    init_batch_normalisation,
    remove_statistics,
)
from aejax.models import BASIC, segnet

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(1, 2, size=(11, 3))


def dense_model(layers=("first", "second")):
    """One encoder and one decoder layer, normalised before their activations.

    `layers` selects the parameters of each.
    """

    def apply(layer, x):
        return jnp.tanh(batch_normalisation(layer["normalisation"], x @ layer["kernel"]))

    def init(key):
        kernels = jax.random.normal(key, (2, 3, 3))
        normalisation = init_batch_normalisation(3)
        return {
            name: {"kernel": kernel, "normalisation": normalisation}
            for name, kernel in zip(("first", "second"), kernels, strict=True)
        }

    return aejax.Autoencoder(
        init,
        lambda params, x: apply(params[layers[0]], x),
        lambda params, code: apply(params[layers[1]], code),
    )


MODELS = {
    "dense": (dense_model(), X),
    "segnet": (
        segnet(BASIC._replace(blocks=((2, 2), (3,)), kernel=(3, 3)), channels=1, classes=2),
        X.reshape(1, 11, 3, 1)[:, :9].reshape(3, 3, 3, 1),
    ),
}


def output_of(model, params, x):
    return model.decode(params, model.encode(params, x))


@pytest.mark.parametrize(
    ("name", "batch_size"), [("dense", 11), ("dense", 4), ("dense", 1), ("segnet", 2)]
)
def test_the_calibrated_model_equals_training_on_all_data_as_one_batch(name, batch_size, x64):
    model, x = MODELS[name]

    @jax.jit
    def both(params, x):
        found = training.calibrate(model, params, Batch(x), batch_size=batch_size)
        return output_of(model, found, x), output_of(model, params, x)

    calibrated, trained = both(model.init(KEY), jnp.asarray(x))
    np.testing.assert_allclose(calibrated, trained, rtol=1e-10, atol=1e-10)


def test_statistics_equal_numpys_layer_by_layer(x64):
    params = dense_model().init(KEY)
    found = training.calibrate(dense_model(), params, Batch(jnp.asarray(X)), batch_size=4)
    x = X
    for name in ("first", "second"):
        a = x @ np.asarray(params[name]["kernel"])
        np.testing.assert_allclose(found[name]["normalisation"]["mean"], a.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found[name]["normalisation"]["variance"], a.var(0), rtol=1e-12)
        x = np.tanh((a - a.mean(0)) / np.sqrt(a.var(0) + 1e-5))


def test_calibrated_outputs_do_not_depend_on_the_rest_of_the_batch():
    model, x, params = dense_model(), jnp.asarray(X, jnp.float32), dense_model().init(KEY)
    output = partial(output_of, model)
    found = training.calibrate(model, params, Batch(x))
    np.testing.assert_allclose(output(found, x[:2]), output(found, x)[:2], rtol=1e-5, atol=1e-6)
    assert np.abs(output(params, x[:2]) - output(params, x)[:2]).max() > 0.01


def test_calibrating_again_replaces_the_statistics():
    x, params = jnp.asarray(X, jnp.float32), dense_model().init(KEY)
    first, other = (training.calibrate(dense_model(), params, Batch(x)) for x in (x, 3 + 2 * x))
    again = training.calibrate(dense_model(), other, Batch(x))
    jax.tree.map(np.testing.assert_array_equal, again, first)


def test_models_without_batch_normalisation_are_unchanged():
    x, norm = jnp.ones((4, 3)), linen.LayerNorm()
    dense = aejax.dense((3, 2))
    params = {**dense.init(KEY), "norm": norm.init(KEY, x)["params"]}
    model = dense._replace(
        encode=lambda params, x: dense.encode(params, norm.apply({"params": params["norm"]}, x))
    )
    assert training.calibrate(model, params, Batch(x)) == params


def test_layers_applied_twice_and_empty_batches_are_refused():
    model, data = dense_model(layers=("first", "first")), Batch(jnp.ones((4, 3)))
    with pytest.raises(ValueError, match="first/normalisation is applied twice"):
        training.calibrate(model, model.init(KEY), data)
    with pytest.raises(ValueError, match="batch size must be 1 or more"):
        training.calibrate(model, model.init(KEY), data, batch_size=0)


def test_training_refuses_parameters_with_statistics():
    model, data = dense_model(), Batch(jnp.asarray(X, jnp.float32))
    objective = aejax.objective(model, losses.squared)
    state = training.init_state(objective, optax.adamw(0.1), KEY)
    calibrated = training.calibrate(model, state.params, data)
    assert jax.tree.structure(remove_statistics(calibrated)) == jax.tree.structure(state.params)
    state = state._replace(params=calibrated)
    with pytest.raises(ValueError, match="have population statistics"):
        training.fit(objective, optax.adamw(0.1), data, state=state, epochs=1, batch_size=4)
