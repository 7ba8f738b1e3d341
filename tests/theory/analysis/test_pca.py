"""PCA and moments against scikit-learn, SciPy and data with a known spectrum."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.analysis.moments import triangular_factor
from aejax.theory.analysis.pca import leading_components
from tests.theory.degenerate_data import DIGITS
from tests.theory.spectra import with_spectrum

WIDE = np.random.default_rng(0).normal(size=(12, 30))


@pytest.mark.parametrize("x", [DIGITS, DIGITS + 1e6, WIDE], ids=["digits", "offset", "wide"])
def test_it_agrees_with_scikit_learn_up_to_its_divisor_and_signs(x):
    ours, theirs = theory.pca(x), PCA(svd_solver="full").fit(x)
    examples = len(x)
    variances = theirs.explained_variance_ * (examples - 1) / examples
    np.testing.assert_allclose(ours.eigenvalues, variances, rtol=0, atol=1e-10 * variances[0])
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12)
    cosines = np.abs(np.sum(ours.components[:10] * theirs.components_[:10], axis=1))
    np.testing.assert_allclose(cosines, 1, rtol=0, atol=1e-12)


def test_it_agrees_with_scipy_on_the_covariance():
    covariance = np.cov(DIGITS, rowvar=False, bias=True)
    eigenvalues = scipy.linalg.eigh(covariance, eigvals_only=True)[::-1]
    ours = theory.pca(DIGITS).eigenvalues
    np.testing.assert_allclose(ours, eigenvalues, rtol=0, atol=1e-12 * eigenvalues[0])


def test_the_eigenvalues_sum_to_the_variance_of_the_features():
    np.testing.assert_allclose(theory.pca(DIGITS).eigenvalues.sum(), DIGITS.var(axis=0).sum())


@given(
    logs=st.lists(st.floats(-3, 3), min_size=2, max_size=8),
    examples=st.integers(9, 60),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_it_recovers_any_spectrum_with_orthonormal_eigenvectors_of_s(logs, examples, seed):
    eigenvalues = np.sort(10.0 ** np.array(logs))[::-1]
    x = with_spectrum(eigenvalues, examples=examples, seed=seed)
    analysis = theory.pca(x)
    atol = 1e-12 * eigenvalues[0]
    np.testing.assert_allclose(analysis.eigenvalues, eigenvalues, rtol=1e-9, atol=atol)
    rows = analysis.components
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    s = np.cov(x, rowvar=False, bias=True)
    np.testing.assert_allclose(s @ rows.T, rows.T * analysis.eigenvalues, atol=10 * atol)


def test_the_largest_entry_of_every_component_is_positive():
    components = theory.pca(DIGITS).components
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(len(components)), largest] > 0).all()


def test_components_do_not_change_when_the_data_are_negated():
    x = with_spectrum([4.0, 2.0, 1.0])
    np.testing.assert_allclose(theory.pca(-x).components, theory.pca(x).components, atol=1e-12)


def test_an_offset_costs_no_accuracy_beyond_storage():
    x = np.round(with_spectrum([9.0, 4.0, 1.0]) * 2**20) / 2**20  # exact with an offset of 2²⁰
    np.testing.assert_allclose(
        theory.pca(x + 2.0**20).eigenvalues, theory.pca(x).eigenvalues, rtol=1e-12
    )


def test_the_mean_is_accurate_to_one_ulp_unlike_a_running_sum():
    x = np.random.default_rng(1).uniform(1e6, 1e6 + 1, size=(20_000, 4))
    exact = np.array([math.fsum(column) / len(x) for column in x.T])
    assert np.abs(x.mean(axis=0) - exact).max() > 4 * np.spacing(1e6)
    assert np.abs(theory.pca(x).mean - exact).max() <= np.spacing(1e6)


def test_the_least_loss_is_the_sum_of_the_trailing_eigenvalues():
    analysis = theory.pca(with_spectrum([8.0, 4.0, 2.0, 1.0]))
    assert [theory.least_loss(analysis, code) for code in (0, 1, 3, 4, 9)] == pytest.approx(
        [15, 7, 1, 0, 0], abs=1e-12
    )


def test_leading_components_are_padded_with_zeros():
    analysis = theory.pca(WIDE)
    np.testing.assert_array_equal(leading_components(analysis, 3), analysis.components[:3])
    padded = leading_components(analysis, 14)
    assert padded.shape == (14, 30)
    assert not padded[12:].any()


def test_the_factor_has_the_second_moments_of_the_data():
    data = theory.moments(DIGITS)
    assert data.factor.shape == (64, 64)
    assert data.examples == 1797
    np.testing.assert_array_equal(data.factor, np.triu(data.factor))
    covariance = np.cov(DIGITS, rowvar=False, bias=True)
    np.testing.assert_allclose(data.factor.T @ data.factor, covariance, atol=1e-10)
    assert data.magnitude == pytest.approx(np.sqrt(np.mean(np.sum(DIGITS**2, axis=1))))


@pytest.mark.parametrize("block", [7, 100, 1796, 1797])
def test_blocks_of_rows_give_the_second_moments_of_all_rows(block):
    factor = triangular_factor(DIGITS, block=block)
    assert factor.shape == (64, 64)
    np.testing.assert_allclose(factor.T @ factor, DIGITS.T @ DIGITS, rtol=1e-12, atol=1e-7)


def test_constant_data_has_no_variance():
    assert theory.pca(np.full((30, 3), 0.1)).eigenvalues[0] < 1e-60


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8, bool])
def test_real_dtypes_are_converted_to_float64(dtype):
    x = DIGITS.astype(dtype)
    analysis = theory.pca(x)
    np.testing.assert_array_equal(analysis.eigenvalues, theory.pca(x.astype(float)).eigenvalues)
    assert {array.dtype for array in analysis} == {np.dtype(np.float64)}


def test_jax_arrays_are_converted_to_float64():
    x = jnp.asarray(DIGITS[:, :5])
    assert x.dtype == jnp.float32
    expected = theory.pca(DIGITS[:, :5]).eigenvalues
    np.testing.assert_allclose(theory.pca(x).eigenvalues, expected, rtol=1e-12)
    assert not jax.config.jax_enable_x64


def test_the_data_are_not_modified():
    x = DIGITS.copy()
    theory.pca(x)
    np.testing.assert_array_equal(x, DIGITS)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(5), r"\[examples, features\].*got shape \[5\]"),
        (np.ones((2, 3, 4)), r"got shape \[2, 3, 4\]; flatten"),
        (np.ones((0, 3)), r"got shape \[0, 3\]"),
        (np.ones((3, 0)), r"got shape \[3, 0\]"),
        (np.array([[1.0, np.nan]]), "finite"),
        (np.array([[1.0, np.inf]]), "finite"),
        (np.array([[1.0, 1j]]), "real numbers, got dtype complex128"),
        (np.array([["a", "b"]]), "real numbers, got dtype <U1"),
    ],
)
def test_invalid_data_are_rejected(x, message):
    with pytest.raises(ValueError, match=message):
        theory.pca(x)
    with pytest.raises(ValueError, match=message):
        theory.certificates(x, 1)


def test_data_whose_squares_overflow_are_rescaled_by_pose():
    with pytest.raises(ValueError, match="do not overflow"):
        theory.pca(1e200 * DIGITS)
    assert theory.pose(1e200 * DIGITS, 1).exponent == pytest.approx(200 * np.log2(10), abs=10)
