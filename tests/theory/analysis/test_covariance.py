"""Components from the covariance or Gram matrix against NumPy's SVD of centred float64 data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.theory.analysis import covariance
from aejax.theory.analysis.covariance import analyse_covariance, covariance_pca
from tests.properties import property_test


def reference(x):
    """Eigenvalues and components by NumPy's SVD of x, centred twice in float64."""
    centred = x.astype(np.float64)
    centred = centred - centred.mean(axis=0)
    centred = centred - centred.mean(axis=0)
    _, singular_values, components = np.linalg.svd(centred, full_matrices=False)
    return singular_values**2 / len(x), components


def assert_like_the_svd(found, x, *, leading):
    tolerance = 200 * np.finfo(x.dtype).eps
    eigenvalues, components = reference(x)
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, atol=tolerance * eigenvalues[0])
    cosines = np.abs(np.sum(found.components * components, axis=1))[:leading]
    np.testing.assert_allclose(cosines, 1, atol=tolerance)
    identity = np.eye(len(found.components))
    np.testing.assert_allclose(found.components @ found.components.T, identity, atol=tolerance)


@property_test(examples=40)
@given(
    dtype=st.sampled_from([np.float32, np.float64]),
    shape=st.sampled_from([(300, 5), (40, 40), (6, 30), (2, 3)]),
    offset=st.floats(0, 1),
    scale=st.floats(-1, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_scales_and_offsets_cost_no_accuracy(dtype, shape, offset, scale, seed):
    """Offsets up to 10⁵ times the spread in float32, 10¹² in float64; scales over its range."""
    most, range_ = (1e5, 30) if dtype == np.float32 else (1e12, 145)
    generator = np.random.default_rng(seed)
    features = shape[1]
    spread = generator.normal(size=shape) * 2.0 ** -np.arange(features).clip(max=3)
    x = spread + most**offset * generator.normal(size=features)
    x = (x * 2.0 ** round(3 * range_ * scale)).astype(dtype)
    found = covariance_pca(x)
    # The reference gets data of about unit size: scaling by a power of two is exact.
    size = 2.0 ** round(3 * range_ * scale)
    unit = found._replace(eigenvalues=found.eigenvalues / size / size)
    assert_like_the_svd(unit, (x.astype(np.float64) / size).astype(dtype), leading=1)
    np.testing.assert_allclose(
        found.mean / size, x.astype(np.float64).mean(axis=0) / size, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sorted_examples_with_an_outlier_are_centred(dtype):
    """The mean of a subset of the rows differs from the mean of all."""
    x = np.random.default_rng(0).normal(size=(1000, 4)) * [4, 3, 2, 1] + 1e4
    x = x[np.argsort(x[:, 0])].astype(dtype)
    x[-1] += 1e3
    assert_like_the_svd(covariance_pca(x), x, leading=4)


@pytest.mark.parametrize("shape", [(20, 90), (90, 20)])
def test_leading_components_equal_those_of_the_full_analysis(shape, monkeypatch):
    monkeypatch.setattr(covariance, "FEATURES_PER_BLOCK", 37)
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", 2**12)
    x = np.random.default_rng(0).normal(size=shape)
    few, every = covariance_pca(x, components=3), covariance_pca(x)
    assert few.components.shape == (3, shape[1])
    np.testing.assert_array_equal(few.eigenvalues, every.eigenvalues[:3])
    np.testing.assert_allclose(few.components, every.components[:3], atol=1e-14)
    assert_like_the_svd(every, x, leading=10)


def test_large_matrices_use_the_interruptible_eigendecomposition(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 8))
    expected = covariance_pca(x)
    monkeypatch.setattr(covariance, "MAX_UNINTERRUPTED_SIZE", 7)
    np.testing.assert_allclose(covariance_pca(x).components, expected.components, atol=1e-12)


def test_constant_data_has_zero_eigenvalues():
    for value in (0.0, 0.1, 1e20):
        moments, analysis = analyse_covariance(np.full((5, 3), value, np.float32))
        assert not analysis.eigenvalues.any()
        np.testing.assert_allclose(moments.mean, np.float32(value), rtol=1e-12)


def test_squares_that_overflow_are_refused():
    with pytest.raises(ValueError, match="squares do not overflow float64"):
        covariance_pca(np.array([[1e160, 1.0], [0.0, 2.0], [1.0, 1.0]]))


@pytest.mark.parametrize("shape", [(40, 5), (4, 5)], ids=["covariance", "Gram"])
@pytest.mark.parametrize("constant", [0.1, 1e12, 1e22, 1e30, -1e18])
def test_a_constant_feature_does_not_affect_the_others(shape, constant):
    """Scaling by the constant would make the squares of the others underflow in float32."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    wide = np.concatenate([x, np.full((shape[0], 3), constant, np.float32)], axis=1)
    found, expected = covariance_pca(wide, components=2), covariance_pca(x, components=2)
    np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, rtol=1e-5)
    np.testing.assert_allclose(found.components[:, :5], expected.components, atol=1e-4)
    np.testing.assert_array_equal(found.mean[5:], wide[0, 5:])
