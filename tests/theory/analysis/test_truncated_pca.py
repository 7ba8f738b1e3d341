"""Truncated PCA against scikit-learn's full PCA."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from aejax.theory.analysis import truncated_pca as module
from aejax.theory.analysis.truncated_pca import truncated_pca


def data(kind):
    generator = np.random.default_rng(0)
    match kind:
        case "digits":
            return load_digits().data
        case "1000 features":
            return generator.normal(size=(400, 1000)) / np.arange(1, 1001) + 3
        case "low rank":
            return generator.normal(size=(300, 4)) @ generator.normal(size=(4, 200)) + 1e3
        case "white noise":
            return generator.normal(size=(200, 150))
        case "float32 at an offset":
            return (load_digits().data + 1e4).astype(np.float32)


KINDS = ["digits", "1000 features", "low rank", "white noise", "float32 at an offset"]


def losses(found, x, components):
    """Reconstruction errors of the computed components and of scikit-learn's."""
    x = x.astype(np.float64)
    pca = PCA(components, svd_solver="full").fit(x)
    centred = x - found.mean
    ours = centred - centred @ found.components.T @ found.components
    theirs = x - pca.inverse_transform(pca.transform(x))
    return (np.mean(np.sum(each**2, axis=1)) for each in (ours, theirs))


@pytest.mark.parametrize("size", [0, 2048], ids=["randomised", "exact"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_as_small_as_that_of_scikit_learn(kind, size, monkeypatch):
    monkeypatch.setattr(module, "MAX_EXACT_SIZE", size)
    x = data(kind)
    found, passes = truncated_pca(x, 6)
    ours, theirs = losses(found, x, 6)
    variance = x.astype(np.float64).var(axis=0).sum()
    assert ours <= theirs * (1 + (1e-9 if size else 2e-3)) + 1e-12 * variance
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(6), atol=1e-12)
    assert (passes is None) == bool(size)
    assert found.eigenvalues.sum() + ours == pytest.approx(variance, rel=1e-9)


def test_randomised_components_equal_scikit_learns_for_decaying_eigenvalues(monkeypatch):
    monkeypatch.setattr(module, "MAX_EXACT_SIZE", 0)
    x = np.random.default_rng(1).normal(size=(300, 80)) * 1.5 ** -np.arange(80.0) * 1e-20
    found, passes = truncated_pca(x, 5)
    pca = PCA(5, svd_solver="full").fit(x * 1e20)
    np.testing.assert_allclose(np.abs(np.sum(found.components * pca.components_, axis=1)), 1)
    variances = pca.explained_variance_ * 299 / 300
    np.testing.assert_allclose(found.eigenvalues * 1e40, variances, rtol=1e-6)
    assert passes < 10


def test_it_is_deterministic_and_stops_after_the_maximum_number_of_passes(monkeypatch):
    monkeypatch.setattr(module, "MAX_EXACT_SIZE", 0)
    x = data("white noise")
    first, second = truncated_pca(x, 3), truncated_pca(x, 3)
    np.testing.assert_array_equal(first.analysis.components, second.analysis.components)
    monkeypatch.setattr(module, "MAX_PASSES", 2)
    assert truncated_pca(x, 3).passes == 2
    assert truncated_pca(np.ones((20, 5)), 3).passes <= 2  # no variance, nothing to improve


@pytest.mark.parametrize("components", [0, 5])
def test_components_out_of_range_are_rejected(components):
    with pytest.raises(ValueError, match=r"min\(examples, features\) = 4, got"):
        truncated_pca(np.ones((9, 4)), components)
