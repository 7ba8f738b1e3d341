"""Synthetic shapes, pixel by pixel."""

import jax
import numpy as np
import pytest

from aejax import data


def test_labels_are_a_square_a_cross_and_void_where_they_overlap():
    x, labels = data.shapes(jax.random.key(0), examples=50, noise=0.0)
    assert x.shape == (50, 16, 16, 1)
    np.testing.assert_array_equal(x[..., 0], labels > 0)
    void = (np.asarray(labels) == 3).sum((1, 2))
    assert void.max() > 0
    for label, pixels in ((1, 25), (2, 9)):
        np.testing.assert_array_equal((np.asarray(labels) == label).sum((1, 2)) + void, pixels)


def test_images_depend_on_the_key():
    x, other = (data.shapes(jax.random.key(seed), examples=2)[0] for seed in (0, 1))
    assert not np.array_equal(x, other)
    with pytest.raises(ValueError, match="side must be at least 6"):
        data.shapes(jax.random.key(0), examples=1, side=5)
