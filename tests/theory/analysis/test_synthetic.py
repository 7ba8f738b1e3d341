"""Synthetic data with a given spectrum, against NumPy's covariance."""

import jax
import numpy as np
import pytest

from aejax import theory


@pytest.mark.parametrize(("examples", "features"), [(4, None), (50, None), (7, 9)])
def test_the_data_have_the_given_eigenvalues_and_zero_mean(examples, features):
    x = theory.with_spectrum(
        jax.random.key(3), [5.0, 0.5, 1e-6], examples=examples, features=features
    )
    assert x.shape == (examples, features or 3)
    covariance = np.cov(x, rowvar=False, bias=True)
    found = np.linalg.eigvalsh(covariance)[::-1]
    np.testing.assert_allclose(found[:3], [5.0, 0.5, 1e-6], rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[3:], 0, atol=1e-13)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-13)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 0.1


def test_the_key_determines_the_data():
    first, again, other = (
        theory.with_spectrum(jax.random.key(k), [2.0, 1.0], examples=9) for k in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize(
    ("eigenvalues", "sizes", "message"),
    [
        ([2.0, -1.0], {"examples": 9}, r"not negative, got \[2.0, -1.0\]"),
        ([np.inf], {"examples": 9}, "finite"),
        ([2.0, 1.0], {"examples": 2}, "more than 2 examples .* got 2 and 2"),
        ([2.0, 1.0], {"examples": 9, "features": 1}, "at least 2 features, got 9 and 1"),
    ],
)
def test_invalid_arguments_are_rejected(eigenvalues, sizes, message):
    with pytest.raises(ValueError, match=message):
        theory.with_spectrum(jax.random.key(0), eigenvalues, **sizes)
