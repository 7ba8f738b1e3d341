"""Registry: names map to the functions of the library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import losses, penalties, registry
from aejax.augmentations import interpolation


def test_names_map_to_library_functions():
    assert registry.activation("gelu") is jax.nn.gelu
    assert registry.loss("squared-logistic") is losses.squared_logistic
    assert registry.corruption("none", 0.5) is None
    assert registry.image_interpolation("cubic") is interpolation.cubic


@pytest.mark.parametrize(
    ("name", "changed"), [("masking", 0.5), ("gaussian", 1.0), ("salt-and-pepper", 0.5)]
)
def test_corruptions_have_the_given_level(name, changed):
    x = jnp.full((40, 50), 2.0)
    share = np.mean(np.asarray(registry.corruption(name, 0.5)(jax.random.key(0), x) != x))
    assert share == pytest.approx(changed, abs=6 * 0.5 / np.sqrt(x.size))


@pytest.mark.parametrize(("name", "change"), [("sgd", -0.19), ("adam", -0.1), ("muon", -0.1)])
def test_optimizers_use_the_given_learning_rate(name, change):
    optimizer = registry.optimizer(name, 0.1)
    params = jnp.ones(())
    update, _ = optimizer.update(jnp.ones(()), optimizer.init(params), params)
    assert float(update) == pytest.approx(change, rel=1e-5)  # sgd: (1 + 0.9) · 0.1


@pytest.mark.parametrize("one_logistic_layer", [False, True])
def test_weighted_penalties_skip_zero_weights(one_logistic_layer):
    weights = {"l2": 0.5, "l1": 0.0, "sparsity": 0.0, "contraction": 2.0}
    found = registry.weighted_penalties(weights, rho=0.05, one_logistic_layer=one_logistic_layer)
    assert {name: weight for name, (weight, _) in found.items()} == {"l2": 0.5, "contraction": 2.0}
    model = aejax.dense((6, 3))
    objective = aejax.objective(model, losses.bernoulli, penalties=found)
    expected = aejax.objective(
        model,
        losses.bernoulli,
        penalties={"l2": (0.5, penalties.l2()), "contraction": (2.0, penalties.contractive())},
    )
    key = jax.random.key(0)
    arguments = model.init(key), aejax.Batch(jax.random.uniform(key, (4, 6))), key
    np.testing.assert_allclose(objective(*arguments)[0], expected(*arguments)[0], rtol=1e-5)
