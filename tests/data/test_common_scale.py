"""One scale for all features: mean square 1, and the principal components of the raw data."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from aejax.data import common_scale, normalise

X = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 2.0, 5.0, 0.0] + [0.0, 3.0, -7.0, 1e6]


def test_mean_square_is_one_and_directions_stay():
    r = normalise(common_scale(X), X)
    np.testing.assert_allclose(r.mean(axis=0), 0, atol=1e-10)
    assert np.square(r).sum(axis=1).mean() == pytest.approx(4)
    before, after = (PCA(3).fit(each) for each in (X, r))
    np.testing.assert_allclose(np.abs(before.components_), np.abs(after.components_), atol=1e-9)
    np.testing.assert_allclose(
        before.explained_variance_ratio_, after.explained_variance_ratio_, rtol=1e-9
    )


def test_constant_and_huge_data_have_finite_scales():
    assert common_scale(np.ones((3, 2))).scale == 1
    huge = np.array([[1e200, 0.0], [-1e200, 0.0]])
    assert common_scale(huge).scale == pytest.approx(1e200 / np.sqrt(2))
