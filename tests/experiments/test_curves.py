"""Drawn curves against closed forms, and compressors of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from experiments.harness.curves import (
    MARGIN,
    SIDE,
    WIDTH,
    fresh_curves,
    render_curve,
    sample_curves,
)


def test_a_straight_curve_is_gaussian_across_and_a_difference_of_error_functions_along():
    image = render_curve(jnp.array([[9.0, 6.0], [9.0, 13.0], [9.0, 20.0]])).reshape(SIDE, SIDE)
    row, column = np.indices((SIDE, SIDE))
    ends = (erf((end - column) / (np.sqrt(2) * WIDTH)) for end in (20.0, 6.0))
    along = np.sqrt(np.pi / 2) * np.subtract(*ends)  # of the integral over the stroke, by σ
    ink = np.exp(-np.square(row - 9.0) / (2 * WIDTH**2)) * along
    np.testing.assert_allclose(image, 1 - np.exp(-ink), atol=2e-3)


def test_a_curve_contains_its_three_points_and_is_symmetric_in_time():
    points = jnp.array([[5.0, 6.0], [20.0, 9.0], [11.0, 22.0]])
    image = render_curve(points).reshape(SIDE, SIDE)
    for row, column in np.asarray(points, int):
        assert image[row, column] > 0.5
    np.testing.assert_allclose(image.reshape(-1), render_curve(points[::-1]), atol=1e-5)
    np.testing.assert_allclose(image.T.reshape(-1), render_curve(points[:, ::-1]), atol=1e-5)


def test_curves_have_the_unit_range():
    found = sample_curves(jax.random.key(0), 300)
    assert found.shape == (300, SIDE**2)
    assert (found >= 0).all()
    assert (found <= 1).all()
    edge = found.reshape(-1, SIDE, SIDE)[:, 0]
    assert edge.mean() < 0.05 < found.mean()
    assert MARGIN > 3 * WIDTH
    assert len(np.unique(np.asarray(found), axis=0)) == 300


def test_fresh_curves_replace_a_batch_by_others_for_each_key():
    x = jnp.zeros((5, SIDE**2))
    first, second = (fresh_curves(jax.random.key(seed), x) for seed in (0, 1))
    np.testing.assert_allclose(first, sample_curves(jax.random.key(0), 5), atol=1e-6)
    assert first.shape == x.shape
    assert np.abs(first - second).max() > 0.5


@pytest.mark.parametrize("size", [4, 8])
def test_pca_of_curves_is_its_least_loss(size):
    from aejax import theory
    from experiments.harness.compressors import pca_reconstruction

    x = sample_curves(jax.random.key(1), 200)
    error = jnp.mean(jnp.sum(jnp.square(pca_reconstruction(x, size)(x) - x), axis=1))
    assert float(error) == pytest.approx(theory.least_loss(theory.pca(x), size), rel=1e-4)
