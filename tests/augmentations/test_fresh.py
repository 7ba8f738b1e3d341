"""Fresh samples: training on a distribution, whatever the data set contains."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import augmentations, data, losses, objectives, training

TRUTH = data.SyntheticDictionary(
    directions=jnp.eye(3),
    bias=jnp.zeros(3),
    probabilities=jnp.array([0.5, 0.2, 0.1]),
    means=jnp.ones(3),
    deviations=jnp.full(3, 0.1),
    loadings=jnp.zeros((3, 1)),
    law=data.DictionaryLaw(features=3, dimensions=3, roots=0, correlation_rank=1),
)
OBJECTIVE = aejax.objective(
    aejax.dense((3, 4), code_activation=jax.nn.relu),
    losses.squared,
    augmentation=augmentations.fresh_samples(partial(data.sample_examples, truth=TRUTH)),
)


def test_training_sees_new_samples_at_every_step_and_no_data():
    """A placeholder and other data give the same measurements and parameters."""
    optimizer = optax.sgd(0.1)
    epoch = jax.jit(lambda state, x: training.epoch(OBJECTIVE, optimizer, state, x, batch_size=8))
    start = training.init_state(OBJECTIVE, optimizer, 0)
    found, of_other_data = (epoch(start, jnp.full((64, 3), value)) for value in (0.0, 1.0))
    jax.tree.map(np.testing.assert_array_equal, found[0].params, of_other_data[0].params)
    np.testing.assert_array_equal(found[1]["loss"], of_other_data[1]["loss"])
    assert len(np.unique(found[1]["loss"])) == 8
    assert objectives.noiseless(OBJECTIVE).augmentation is None  # validation data are kept


def test_samples_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="augmentation"):
        OBJECTIVE(OBJECTIVE.model.init(jax.random.key(0)), jnp.zeros((4, 2)), 0)
