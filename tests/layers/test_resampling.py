"""Pooling and unpooling by two, with odd extents, against NumPy."""

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
def test_unpooling_restores_the_shape(pair, shape):
    x = jax.random.normal(jax.random.key(0), (2, *shape, 3))
    halved, kept = pair.pool(x)
    assert halved.shape == (2, *(-(-n // 2) for n in shape), 3)
    restored = pair.unpool(halved, kept)
    assert restored.shape == x.shape


def test_maxima_and_their_positions_match_numpy():
    halved, indices = resampling.pool_with_indices(jnp.asarray(X))
    padded = np.pad(X, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=-np.inf)
    expected = padded.reshape(2, 3, 2, 2, 2, 3).max(axis=(2, 4))
    np.testing.assert_array_equal(halved, expected)
    restored = np.asarray(resampling.unpool(halved, indices))
    np.testing.assert_array_equal(restored, np.where(restored != 0, X, 0))
    assert np.count_nonzero(restored) == halved.size


def test_upsample_zeros_uses_the_first_position_of_each_window():
    halved, extent = resampling.pool(jnp.asarray(X))
    expected = np.zeros_like(X)
    expected[:, ::2, ::2] = halved
    np.testing.assert_array_equal(resampling.upsample_zeros(halved, extent), expected)


def test_upsample_nearest_fills_the_windows():
    halved, extent = resampling.pool(jnp.asarray(X))
    expected = np.kron(halved, np.ones((1, 2, 2, 1), np.float32))[:, :5, :4]
    np.testing.assert_array_equal(resampling.upsample_nearest(halved, extent), expected)


def test_an_extent_has_no_arrays():
    assert jax.tree.leaves(resampling.pool(jnp.asarray(X))[1]) == []
    assert len(jax.tree.leaves(resampling.pool_with_indices(jnp.asarray(X))[1])) == 1
