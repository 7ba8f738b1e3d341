"""Measures of codes against activations and accuracies of known values."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import data, losses, penalties
from experiments import sparse_features
from experiments.harness.code_use import best_on_validation, three_parts
from experiments.harness.sparse_codes import measure_activations, train_increasing
from experiments.harness.training import train_once


def test_the_deviation_is_the_mean_over_units():
    code = jnp.array([[0.1, 0.0], [0.3, 0.2]])  # means 0.2 and 0.1
    measured = measure_activations(code, jnp.eye(4), rho=0.16)
    assert measured["mean"] == pytest.approx(0.15)
    assert measured["deviation"] == pytest.approx((0.04 + 0.06) / 2 / 0.16)
    assert measured["lifetime sparsity"] == pytest.approx(1)  # one example per unit


def test_parts_do_not_overlap():
    dataset = data.digits()
    count = len(dataset.x_train)
    examples, labels = three_parts(dataset, count - 200, 200)
    assert [len(part) for part in examples] == [count - 200, 200, len(dataset.x_test)]
    assert [len(part) for part in labels] == [count - 200, 200, len(dataset.x_test)]
    np.testing.assert_array_equal(np.concatenate(labels[:2]), dataset.labels_train)
    with pytest.raises(ValueError, match=f"but digits has {count} training examples"):
        three_parts(dataset, count - 199, 200)
    with pytest.raises(ValueError, match="no labels"):
        three_parts(dataset._replace(labels_train=None), 100, 100)


def test_the_best_setting_has_the_highest_mean_validation_accuracy():
    settings = {
        "a": {"validation accuracy": [0.9, 0.5], "accuracy": [1.0, 1.0]},
        "b": {"validation accuracy": [0.8, 0.7], "accuracy": [0.0, 0.0]},
    }
    assert best_on_validation(settings) == "b"


def test_a_penalty_that_does_not_increase_has_a_constant_weight():
    dataset = data.digits()
    x, model = jnp.asarray(dataset.x_train.reshape(-1, 64)[:100] / 16), aejax.dense((64, 8))
    schedule, key = sparse_features.Config(epochs=4, batch_size=50), jax.random.key(0)
    train = jax.jit(partial(train_increasing, schedule, model))
    terms = {"sparsity": (3.0, penalties.kl_sparsity(rho=0.1))}
    objective = aejax.objective(model, losses.bernoulli, penalties=terms)
    expected = jax.jit(partial(train_once, objective, schedule=schedule))(x=x, key=key)
    found = [train(0.1, 3.0, increase, key, x) for increase in (0.0, 0.25, 1.0)]
    for params in found[:2]:  # it increases within one epoch of four
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), params, expected)
    means = [jnp.mean(model.encode(params, x)) for params in found]
    assert abs(means[2] - means[0]) > 1e-3
