"""Dynamic binarisation: Bernoulli samples as input and target, other ones in every step."""

import jax
import jax.numpy as jnp
import numpy as np

import aejax
from aejax import augmentations, losses


def test_each_value_is_one_with_its_probability():
    grey = jnp.broadcast_to(jnp.array([0.0, 0.1, 0.5, 0.9, 1.0]), (40_000, 5))
    found = np.asarray(augmentations.binarise()(jax.random.key(0), grey))
    assert set(np.unique(found)) == {0.0, 1.0}
    error = 6.1 * np.sqrt(grey[0] * (1 - grey[0]) / len(grey))
    assert (np.abs(found.mean(axis=0) - grey[0]) <= error).all()
    assert abs(np.corrcoef(found[:, 1:4].T)[np.triu_indices(3, 1)]).max() < 6.1 / np.sqrt(40_000)


def test_the_sample_is_input_and_target_and_changes_with_the_key():
    objective = aejax.objective(
        aejax.dense((8, 3)), losses.bernoulli, augmentation=augmentations.binarise()
    )
    params = objective.model.init(jax.random.key(0))
    x = jnp.full((4, 8), 0.5)
    first, second = (aejax.forward(objective, params, x, jax.random.key(seed)) for seed in (0, 1))
    assert set(np.unique(first.batch.x)) == {0.0, 1.0}
    np.testing.assert_array_equal(first.x_corrupted, first.batch.x)
    assert (first.batch.x != second.batch.x).any()
