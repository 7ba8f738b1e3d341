"""Parameters that exported files could not name are refused before anything is written."""

import jax.numpy as jnp
import numpy as np
import pytest

from aejax.data import identity
from aejax.runs.exported_run import exported_parameters
from aejax.runs.opening import ObjectiveRun


def trained(params) -> ObjectiveRun:
    """A trained run, as far as its parameters are concerned."""
    empty = ObjectiveRun(*[None] * len(ObjectiveRun._fields))
    return empty._replace(params=params, normalisation=identity())


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (jnp.ones((3, 2)), "the parameters are one array"),
        ({"normalisation": {"w": jnp.ones(2)}, "k": jnp.ones(3)}, "an entry 'normalisation'"),
    ],
)
def test_parameters_without_a_name_of_their_own_are_refused(params, words):
    with pytest.raises(ValueError, match=words):
        exported_parameters(trained(params))


def test_all_parameters_and_the_normalisation_are_exported():
    found = exported_parameters(trained({"k": [jnp.ones(3), jnp.zeros(2)]}))
    assert set(found) == {"k", "normalisation"}
    np.testing.assert_array_equal(found["k"]["1"], np.zeros(2))
