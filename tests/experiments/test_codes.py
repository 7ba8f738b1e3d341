"""Measures of experiments on codes against NumPy and values computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from experiments import harness, weight_decay


def test_the_jacobian_of_a_logistic_layer_has_its_singular_values():
    model = aejax.dense((9, 4))
    params = model.init(jax.random.key(0))
    point = jax.random.uniform(jax.random.key(1), (9,))
    values, directions = harness.jacobian_svd(model, params, point)
    h = np.asarray(model.encode(params, point[None]))[0]
    jacobian = (h * (1 - h))[:, None] * np.asarray(params["encoder"]["layer_0"]["kernel"]).T
    np.testing.assert_allclose(values, np.linalg.svd(jacobian)[1], rtol=1e-4)
    energy = np.linalg.norm(jacobian @ np.asarray(directions).T, axis=0)
    np.testing.assert_allclose(energy, values, rtol=1e-4)


def test_the_best_decay_of_a_seed_is_chosen_by_its_validation_examples():
    path = {
        "validation": {"0": [2.0, 2.0, 1.0], "0.1": [1.0, 3.0, 3.0], "0.2": [3.0, 1.0, 2.0]},
        "test": {"0": [20.0, 21.0, 22.0], "0.1": [30.0, 1.0, 1.0], "0.2": [1.0, 41.0, 1.0]},
    }
    # the lowest test errors are never used
    np.testing.assert_array_equal(weight_decay.best_on_validation(path), [30.0, 41.0, 22.0])


def test_pooled_pixels_are_means():
    image = np.arange(16.0).reshape(4, 4)
    pooled = harness.average_pooled(jnp.array(image.reshape(1, 16)), 2)
    np.testing.assert_allclose(pooled, [[2.5, 4.5, 10.5, 12.5]])
    np.testing.assert_allclose(harness.average_pooled(jnp.array(image.reshape(1, 16)), 1)[0, 5], 5)
