"""Counts are integers of any library; nothing is rounded in silence."""

import jax.numpy as jnp
import numpy as np
import pytest

from aejax.ranges import whole_number


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), jnp.asarray(3), np.asarray(3)])
def test_integers_of_every_library_are_pythons(value):
    assert type(whole_number("epochs", value)) is int
    assert whole_number("epochs", value) == 3


@pytest.mark.parametrize(
    "value", [3.0, 2.5, np.float64(3), jnp.asarray(3.0), "3", True, np.True_, None, [3]]
)
def test_all_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match="epochs must be an integer, got"):
        whole_number("epochs", value)
