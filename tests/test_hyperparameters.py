"""Counts accept integers of any library; floats are refused, not rounded."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import losses, penalties, training
from aejax.hyperparameters import as_integer
from aejax.models import boltzmann


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), jnp.asarray(3), np.asarray(3)])
def test_integers_of_every_library_become_python_integers(value):
    assert type(as_integer("epochs", value)) is int
    assert as_integer("epochs", value) == 3


@pytest.mark.parametrize(
    "value", [3.0, 2.5, np.float64(3), jnp.asarray(3.0), "3", True, np.True_, None, [3]]
)
def test_other_values_are_refused_by_name(value):
    with pytest.raises(ValueError, match="epochs must be an integer, got"):
        as_integer("epochs", value)


dense, convolutional, refined, top_k, estimated, divergence, accumulated = map(
    inspect.unwrap,  # without the type checks that the tests add
    (
        aejax.dense,
        aejax.convolutional,
        aejax.refined,
        aejax.top_k,
        penalties.contractive_estimated,
        boltzmann.contrastive_divergence,
        training.accumulated,
    ),
)
COUNTS = {
    "each of sizes": lambda n: dense((4, n)),
    "each of decoder_sizes": lambda n: dense((4, 2), decoder_sizes=(2, n)),
    "each of shape": lambda n: convolutional((n, 4, 1), (2,)),
    "each of channels": lambda n: convolutional((4, 4, 1), (n,)),
    "each of units": lambda n: convolutional((4, 4, 1), (2,), units=(n,)),
    "the number of steps": lambda n: refined(aejax.dense((4, 2)), losses.squared, steps=n),
    "top_k's k": lambda n: top_k(k=n),
    "samples": lambda n: estimated(samples=n),
    "steps": lambda n: divergence(boltzmann.RBM(), steps=n),
    "part_size": lambda n: accumulated(part_size=n),
}


@pytest.mark.parametrize("count", [2.0, 2.5, np.float64(2), True, "2"])
@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_units_steps_and_samples_must_be_integers(name, count):
    COUNTS[name](np.int64(4))
    with pytest.raises(ValueError, match=f"{name} must be an integer, got"):
        COUNTS[name](count)
