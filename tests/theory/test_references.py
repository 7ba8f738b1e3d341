"""PCA against scikit-learn and SciPy, on every data set of the theorems."""

import numpy as np
import pytest
import scipy.linalg
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.checking.problem import rounding
from tests.theory import datasets

SMALL = [pytest.param(lambda _, pair=pair: pair, id=name) for name, pair in datasets.SMALL.items()]
REAL = [
    pytest.param(lambda _: datasets.digits(), id="digits"),
    pytest.param(lambda _: datasets.patches(), id="photos"),
    pytest.param(
        lambda request: datasets.mnist(request.getfixturevalue("shared_data")),
        id="mnist",
        marks=pytest.mark.slow,
    ),
]


def scikit_learns(x):
    theirs = PCA(svd_solver="full").fit(x)
    return theirs.explained_variance_ * (len(x) - 1) / len(x), theirs.components_


def scipys(x):
    eigenvalues, vectors = scipy.linalg.eigh(np.cov(x, rowvar=False, bias=True, dtype=np.float64))
    return eigenvalues[::-1][: min(x.shape)], vectors.T[::-1][: min(x.shape)]


def scipys_of_rows(x):
    centred = (x - x.mean(axis=0)) / np.sqrt(len(x))
    _, singular_values, components = scipy.linalg.svd(centred, full_matrices=False)
    return np.square(singular_values), components


@pytest.mark.parametrize("data", SMALL + REAL)
@pytest.mark.parametrize(
    "reference", [scikit_learns, scipys_of_rows], ids=["scikit-learn", "SciPy"]
)
def test_eigenvalues_to_1e_10_and_components_to_the_angle_that_the_gap_allows(
    data, reference, request
):
    """Wedin: the angle of a singular vector is at most its error over the gap to its neighbours."""
    x, _ = data(request)
    problem = theory.pose(x, 1)
    ours, (eigenvalues, components) = problem.pca, reference(np.asarray(x, np.float64))
    largest = eigenvalues[0]
    np.testing.assert_allclose(ours.eigenvalues, eigenvalues, rtol=0, atol=1e-10 * largest)
    roots = np.sqrt(ours.eigenvalues)
    between = np.append(-np.diff(roots), roots[-1] if len(roots) < x.shape[1] else np.inf)
    gaps = np.minimum(between, np.append(np.inf, between[:-1]))
    allowed = 4 * rounding(problem) / np.maximum(gaps, rounding(problem))
    cosines = np.sum(ours.components * components, axis=1, keepdims=True)
    sines = np.linalg.norm(ours.components - cosines * components, axis=1)
    assert (sines <= allowed).all()
    assert (allowed < 1e-8).sum() >= min(2, x.shape[1])  # some of the bounds are tight


@pytest.mark.parametrize("data", SMALL + REAL)
def test_eigenvalues_are_those_that_scipy_finds_of_the_covariance(data, request):
    x, _ = data(request)
    ours, (eigenvalues, _) = theory.pca(x), scipys(x)
    np.testing.assert_allclose(
        ours.eigenvalues, eigenvalues, rtol=0, atol=1e-10 * ours.eigenvalues[0]
    )
