"""`LinearAutoencoder` agrees with scikit-learn's PCA in attributes, signs and methods."""

import pickle

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

import aejax
from aejax import theory
from aejax.data import read_idx
from aejax.estimator import LinearAutoencoder
from aejax.theory.analysis.covariance import analyse_covariance
from tests.properties import property_test

ATTRIBUTES = (
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "mean_",
    "noise_variance_",
)
IRIS, DIGITS = load_iris().data, load_digits().data


def assert_like(found: LinearAutoencoder, pca: PCA, x: np.ndarray) -> None:
    """Compare all attributes, codes and reconstructions, relative to the largest entry."""
    for name in ATTRIBUTES:
        expected = getattr(pca, name)
        bound = 1e-6 * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(getattr(found, name), expected, rtol=0, atol=bound, err_msg=name)
    assert (found.n_components_, found.n_samples_) == (pca.n_components_, pca.n_samples_)
    code = pca.transform(x)
    np.testing.assert_allclose(found.transform(x), code, atol=1e-6 * np.abs(code).max())
    np.testing.assert_allclose(
        found.inverse_transform(code), pca.inverse_transform(code), atol=1e-6 * np.abs(x).max()
    )


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize(
    ("x", "components"),
    [(IRIS, None), (IRIS, 2), (IRIS, 0.95), (DIGITS, 10), (DIGITS, 40), (DIGITS, 0.9)],
    ids=["iris-all", "iris-2", "iris-95%", "digits-10", "digits-40", "digits-90%"],
)
def test_fit_equals_pca(x, components, whiten):
    found = LinearAutoencoder(components, whiten=whiten).fit(x)
    assert_like(found, PCA(components, whiten=whiten, svd_solver="full").fit(x), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("components", [10, 0.9])
def test_covariance_solver_equals_scikit_learns(components, dtype):
    x = DIGITS.astype(dtype)
    found = LinearAutoencoder(components, solver="covariance").fit(x)
    pca = PCA(components, svd_solver="covariance_eigh")
    dtypes = {name: np.asarray(getattr(pca.fit(x), name)).dtype for name in ATTRIBUTES}
    eigenvalues = PCA().fit(DIGITS).explained_variance_[: pca.n_components_ + 1]
    gap = -np.diff(eigenvalues).max() / eigenvalues[0]  # Davis-Kahan: components rotate by ε/gap
    pca.fit(DIGITS)
    for name in ATTRIBUTES:
        expected, bound = getattr(pca, name), 100 * np.finfo(dtype).eps
        if name == "components_":
            bound = np.finfo(dtype).eps / gap
        assert getattr(found, name).dtype == dtypes[name]
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(getattr(found, name), expected, atol=bound * scale, err_msg=name)


def test_covariance_of_low_precision_examples_accumulates_block_by_block(monkeypatch):
    monkeypatch.setattr("aejax.data.example_blocks.BYTES_PER_BLOCK", 2**16)
    x = DIGITS.astype(np.float32)
    moments, found = analyse_covariance(x, dtype=np.float64)
    exact = theory.pca(x)
    np.testing.assert_allclose(moments.mean, exact.mean, rtol=1e-12)
    np.testing.assert_allclose(
        found.eigenvalues, exact.eigenvalues, atol=1e-12 * exact.eigenvalues[0]
    )
    np.testing.assert_allclose(found.components[:20], exact.components[:20], atol=1e-8)


def test_covariance_solver_gives_no_negative_eigenvalues():
    found = LinearAutoencoder(solver="covariance").fit(DIGITS[:7].astype(np.float32))
    assert found.components_.shape == (7, 64)
    assert found.explained_variance_.min() >= 0
    exact = LinearAutoencoder().fit(DIGITS[:7])
    np.testing.assert_allclose(
        found.explained_variance_,
        exact.explained_variance_,
        atol=1e-5 * exact.explained_variance_[0],
    )


def test_partial_fit_can_follow_the_covariance_solver():
    found = LinearAutoencoder(5, solver="covariance").fit(DIGITS[:1000]).partial_fit(DIGITS[1000:])
    whole = LinearAutoencoder(5).fit(DIGITS)
    np.testing.assert_allclose(found.components_, whole.components_, atol=1e-8)
    np.testing.assert_allclose(found.explained_variance_, whole.explained_variance_, rtol=1e-10)


@pytest.mark.slow
def test_fit_equals_pca_of_mnist(shared_data):
    path = shared_data / "mnist" / "train-images-idx3-ubyte.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    x = read_idx(path).reshape(60_000, 784) / 255
    assert_like(LinearAutoencoder(50).fit(x), PCA(50, svd_solver="full").fit(x), x)


@pytest.mark.parametrize(
    ("x", "components"),
    [
        pytest.param(IRIS, 2, id="iris"),
        pytest.param(DIGITS, 5, id="digits", marks=pytest.mark.slow),
    ],
)
def test_gradient_solver_equals_pca(x, components):
    found = LinearAutoencoder(components, solver="gradient", random_state=0).fit(x)
    assert_like(found, PCA(components, svd_solver="full").fit(x), x)


def test_partial_fits_equal_one_fit():
    found = LinearAutoencoder(10)
    for batch in np.array_split(DIGITS, [12, 13, 70, 900]):
        found.partial_fit(batch)
    assert_like(found, PCA(10, svd_solver="full").fit(DIGITS), DIGITS)


def test_likelihood_equals_that_of_pca_and_of_scipys_normal_distribution():
    found, pca = LinearAutoencoder(2).fit(IRIS), PCA(2).fit(IRIS)
    np.testing.assert_allclose(found.score_samples(IRIS), pca.score_samples(IRIS), rtol=1e-9)
    assert found.score(IRIS) == pytest.approx(pca.score(IRIS), rel=1e-9)
    np.testing.assert_allclose(found.get_covariance(), pca.get_covariance(), rtol=1e-9)
    np.testing.assert_allclose(found.get_precision(), pca.get_precision(), rtol=1e-9)
    whitened = LinearAutoencoder(whiten=True).fit(IRIS)  # whitening does not change the model
    law = multivariate_normal(IRIS.mean(axis=0), np.cov(IRIS.T))
    np.testing.assert_allclose(whitened.score_samples(IRIS), law.logpdf(IRIS), rtol=1e-9)


def test_a_singular_covariance_has_no_likelihood():
    with pytest.raises(ValueError, match="covariance is singular"):
        LinearAutoencoder().fit(IRIS[:3]).score(IRIS)


@pytest.mark.parametrize("whiten", [False, True])
def test_params_are_parameters_of_the_linear_model(x64, whiten):
    found = LinearAutoencoder(2, whiten=whiten).fit(IRIS)
    model = aejax.linear(4, 2)
    code = model.encode(found.params_, jax.numpy.asarray(IRIS))
    np.testing.assert_allclose(code, found.transform(IRIS), atol=1e-12)
    np.testing.assert_allclose(
        model.decode(found.params_, code), found.inverse_transform(found.transform(IRIS))
    )


def test_float32_is_preserved_and_offsets_cost_no_accuracy():
    x = (IRIS + 4096).astype(np.float32)
    found, expected = LinearAutoencoder(2).fit(x), PCA(2).fit(x.astype(np.float64))
    arrays = [getattr(found, name) for name in ATTRIBUTES] + jax.tree.leaves(found.params_)
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    code = found.transform(x)
    assert code.dtype == found.inverse_transform(code).dtype == np.float32
    np.testing.assert_allclose(found.components_, expected.components_, atol=1e-5)
    np.testing.assert_allclose(code, expected.transform(x.astype(np.float64)), atol=2e-3)


def test_cloning_pickling_and_feature_names():
    found = (
        clone(LinearAutoencoder(2))
        .set_output(transform="pandas")
        .fit(load_iris(as_frame=True).data)
    )
    frame = pickle.loads(pickle.dumps(found)).transform(load_iris(as_frame=True).data)
    assert list(frame) == ["linearautoencoder0", "linearautoencoder1"]
    np.testing.assert_array_equal(frame, found.transform(load_iris(as_frame=True).data))


def test_constant_examples_have_zero_explained_variance():
    assert not LinearAutoencoder(1).fit(np.ones((5, 3))).explained_variance_ratio_.any()


def test_missing_convergence_of_the_gradient_solver_is_warned_about(monkeypatch):
    from aejax.estimator import linear_autoencoder

    trained = linear_autoencoder.train_linear
    monkeypatch.setattr(
        linear_autoencoder, "train_linear", lambda *args: trained(*args, max_steps=2)
    )
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 steps"):
        LinearAutoencoder(2, solver="gradient", random_state=0).fit(IRIS)


@pytest.mark.parametrize("components", [0, 5, 1.0, -0.5, "mle", True])
def test_invalid_numbers_of_components_are_refused(components):
    with pytest.raises(ValueError, match=r"n_components .* = 4"):
        LinearAutoencoder().set_params(n_components=components).fit(IRIS)


def test_other_misuse_is_refused():
    with pytest.raises(ValueError, match="got 'newton'"):
        LinearAutoencoder(2, solver="newton").fit(IRIS)
    with pytest.raises(ValueError, match="integer n_components, got None"):
        LinearAutoencoder(solver="gradient").fit(IRIS)
    with pytest.raises(ValueError, match=r"codes must be \[examples, 2\], got shape \[150, 4\]"):
        LinearAutoencoder(2).fit(IRIS).inverse_transform(IRIS)


def numpy_pca(x, components):
    """Mean, variances and components by NumPy: SVD of x, centred twice in float64."""
    x = x.astype(np.float64)
    mean = x.mean(axis=0)
    centred = x - mean
    centred = centred - centred.mean(axis=0)
    _, singular_values, rows = np.linalg.svd(centred, full_matrices=False)
    return mean, singular_values[:components] ** 2 / (len(x) - 1), rows[:components], centred


@property_test(examples=24)
@given(
    solver=st.sampled_from(["closed-form", "covariance", "partial"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    whiten=st.booleans(),
    wide=st.booleans(),
    offset=st.floats(0, 1),
    scale=st.integers(-1, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_fits_are_equivariant_to_offset_and_scale(solver, dtype, whiten, wide, offset, scale, seed):
    """Offsets up to 10⁴ (float32) or 10¹² (float64) standard deviations, and scales 2^±k."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(7, 12) if wide else (80, 5))
    x = x * 2.0 ** -np.arange(x.shape[1]) + (1e4 if dtype == np.float32 else 1e12) ** offset
    x = (x[np.argsort(x[:, 0])] * 2.0 ** (scale * (40 if dtype == np.float32 else 440))).astype(
        dtype
    )
    found = LinearAutoencoder(2, whiten=whiten).set_params(
        solver="closed-form" if solver == "partial" else solver
    )
    if solver == "partial":
        for batch in np.split(x, [1, 2, 5]):
            found.partial_fit(batch)
    else:
        found.fit(x)
    unit = 2.0 ** (scale * (40 if dtype == np.float32 else 440))
    mean, variances, components, centred = numpy_pca(x.astype(np.float64) / unit, 2)
    tolerance = 1e3 * np.finfo(dtype).eps
    np.testing.assert_allclose(found.mean_.astype(np.float64) / unit, mean, rtol=tolerance)
    deviations = np.sqrt(found.explained_variance_.astype(np.float64)) / unit
    np.testing.assert_allclose(deviations, np.sqrt(variances), rtol=tolerance)
    signs = np.sign(np.sum(found.components_ * components, axis=1))[:, None]
    np.testing.assert_allclose(found.components_, signs * components, atol=30 * tolerance)
    code = centred @ (signs * components).T / (np.sqrt(variances) if whiten else 1)
    size = 1 if whiten else unit
    np.testing.assert_allclose(found.transform(x) / size, code, atol=30 * tolerance)


@pytest.mark.parametrize(("offset", "scale"), [(0, 2.0**-90), (1e6, 1), (0, 2.0**90)])
def test_gradient_solver_is_equivariant_to_offset_and_scale(offset, scale):
    x = (IRIS + offset) * scale
    found = LinearAutoencoder(2, solver="gradient", random_state=0).fit(x)
    mean, variances, components, _ = numpy_pca(x / scale, 2)
    np.testing.assert_allclose(found.mean_ / scale, mean, rtol=1e-12)
    np.testing.assert_allclose(found.explained_variance_ / scale / scale, variances, rtol=1e-6)
    cosines = np.abs(np.sum(found.components_ * components, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-9)


@pytest.mark.parametrize("solver", ["closed-form", "covariance", "gradient"])
def test_examples_without_variance_have_zero_explained_variance_in_every_solver(solver):
    found = LinearAutoencoder(1, solver=solver).fit(np.full((5, 3), 0.1, np.float32))
    assert not found.explained_variance_ratio_.any() or found.explained_variance_[0] < 1e-15
    assert np.isfinite(found.transform(np.ones((2, 3)))).all()


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("sizes", [[1] * 8, [3, 5, 1], [1, 200], [4, 4, 300]])
def test_batches_of_fewer_rows_than_components_merge_exactly(sizes, whiten):
    found = LinearAutoencoder(10, whiten=whiten)
    x, end = DIGITS[: sum(sizes)], 0
    for batch in np.split(x, np.cumsum(sizes)[:-1]):
        found.partial_fit(batch)
        end += len(batch)
        assert found.n_components_ == min(10, end)
        assert found.n_samples_ == end
        assert np.isfinite(found.transform(x)).all()
    pca = PCA(min(10, len(x)), svd_solver="full").fit(x)
    kept = min(10, len(x) - 1)  # with as many components as examples, the last is arbitrary
    np.testing.assert_allclose(found.components_[:kept], pca.components_[:kept], atol=1e-8)
    np.testing.assert_allclose(
        found.explained_variance_[:kept], pca.explained_variance_[:kept], rtol=1e-9
    )


def test_more_components_than_features_are_refused_at_the_first_batch():
    with pytest.raises(ValueError, match="= 4"):
        LinearAutoencoder(5).partial_fit(IRIS[:2])


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_variances_out_of_range_are_refused(scale):
    x = (IRIS * scale).astype(np.float32)
    with pytest.raises(ValueError, match="out of the range of float32; scale X, or convert"):
        LinearAutoencoder(2).fit(x)
    found = LinearAutoencoder(2, whiten=True).fit(IRIS * scale)
    np.testing.assert_allclose(found.transform(IRIS * scale).std(axis=0, ddof=1), 1)


def test_the_unbiased_variance_must_be_in_range():
    x = np.array([[1.5e19], [-1.5e19]], np.float32)  # variance 2.25e38, unbiased 4.5e38
    with pytest.raises(ValueError, match=r"4\.5e\+38, is out of the range of float32"):
        LinearAutoencoder(1).fit(x)


def test_strict_dtype_promotion_changes_nothing():
    with jax.numpy_dtype_promotion("strict"), jax.disable_jit():
        for dtype in (np.float32, np.float64):
            found = LinearAutoencoder(2, whiten=True).fit(IRIS.astype(dtype))
            assert np.isfinite(found.score(IRIS))
    with jax.numpy_dtype_promotion("strict"):
        LinearAutoencoder(2, solver="gradient", random_state=0).fit(IRIS)
