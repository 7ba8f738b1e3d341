"""Halving and restoring: odd extents, against pooling by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.layers import resampling

X = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "pair", [resampling.with_indices, resampling.zero_insertion, resampling.nearest]
)
@pytest.mark.parametrize("shape", [(5,), (1, 4), (3, 2, 3)])
def test_maps_come_back_to_their_shape(pair, shape):
    x = jax.random.normal(jax.random.key(0), (2, *shape, 3))
    halved, kept = pair.pool(x)
    assert halved.shape == (2, *(-(-n // 2) for n in shape), 3)
    restored = pair.unpool(halved, kept)
    assert restored.shape == x.shape


def test_every_window_has_its_maximum_by_hand():
    halved, switches = resampling.pool_with_indices(jnp.asarray(X))
    padded = np.pad(X, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=-np.inf)
    expected = padded.reshape(2, 3, 2, 2, 2, 3).max(axis=(2, 4))
    np.testing.assert_array_equal(halved, expected)
    restored = np.asarray(resampling.unpool(halved, switches))
    np.testing.assert_array_equal(restored, np.where(restored != 0, X, 0))
    assert np.count_nonzero(restored) == halved.size


def test_fixed_places_are_the_first_of_their_windows():
    halved, extent = resampling.pool(jnp.asarray(X))
    expected = np.zeros_like(X)
    expected[:, ::2, ::2] = halved
    np.testing.assert_array_equal(resampling.upsample_zeros(halved, extent), expected)


def test_repeated_values_fill_their_windows():
    halved, extent = resampling.pool(jnp.asarray(X))
    expected = np.kron(halved, np.ones((1, 2, 2, 1), np.float32))[:, :5, :4]
    np.testing.assert_array_equal(resampling.upsample_nearest(halved, extent), expected)


def test_what_is_kept_without_indices_holds_no_array():
    assert jax.tree.leaves(resampling.pool(jnp.asarray(X))[1]) == []
    assert len(jax.tree.leaves(resampling.pool_with_indices(jnp.asarray(X))[1])) == 1
