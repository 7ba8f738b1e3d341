"""The loss landscape against enumeration and finite differences; wrong formulas must fail."""

import jax
import numpy as np
import pytest

from aejax import theory
from aejax.theory.optimum import critical_points, landscape
from tests.theory.degenerate_data import DATA, DIGITS
from tests.theory.spectra import with_spectrum
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import verdicts

SPECTRUM = [6.0, 5.0, 4.0, 2.0, 1.0, 0.5]
X = with_spectrum(SPECTRUM) + np.arange(6.0)
PROBLEM = theory.pose(X, 3)
CASE, _ = landscape.landscape_or_obstacle(PROBLEM)


def both(problem):
    return landscape.landscape_index(problem) + critical_points.critical_point_search(problem)


@pytest.fixture(scope="module")
def points():
    return landscape.critical_points(jax.random.key(1), CASE)


@pytest.fixture(scope="module")
def derivatives(points):
    return landscape.local_derivatives(CASE, points)


def test_six_directions_have_42_subsets_of_size_at_most_three():
    chosen = landscape.subsets(CASE)
    assert len(chosen) == len(set(chosen)) == 42
    assert {len(subset) for subset in chosen} == {0, 1, 2, 3}


def test_all_42_indices_are_as_predicted_and_exactly_one_is_a_minimum(derivatives):
    minima = []
    for subset, curvatures in zip(landscape.subsets(CASE), derivatives.curvatures, strict=True):
        counted = int(np.sum(curvatures < -1e-9)), int(np.sum(np.abs(curvatures) <= 1e-9))
        assert counted == landscape.predicted_index(CASE.eigenvalues, subset, 3)
        minima += [subset] if counted[0] == 0 else []
    assert minima == [(0, 1, 2)]


def test_gradients_vanish_and_losses_are_sums_of_the_other_eigenvalues(derivatives):
    expected = [18.5 - sum(SPECTRUM[i] for i in chosen) for chosen in landscape.subsets(CASE)]
    np.testing.assert_allclose(6 * derivatives.loss, np.array(expected), atol=1e-12)
    assert derivatives.gradient.max() < 1e-13


@pytest.mark.parametrize("index", [0, 3, 17, 41])
def test_the_hessian_equals_finite_differences(points, derivatives, index):
    encoder, decoder = (
        np.asarray(points[side]["layer_0"]["kernel"])[index] for side in ("encoder", "decoder")
    )

    def gradient(flat):
        a, b = flat[:18].reshape(6, 3), flat[18:].reshape(3, 6)
        t = CASE.factor
        error = 2 * (t @ a @ b - t)
        return np.concatenate([(t.T @ error @ b.T).ravel(), ((t @ a).T @ error).ravel()])

    at, step = np.concatenate([encoder.ravel(), decoder.ravel()]), 1e-5
    rows = [(gradient(at + step * e) - gradient(at - step * e)) / (2 * step) for e in np.eye(36)]
    reference = np.linalg.eigvalsh(np.array(rows + np.transpose(rows)) / 2)
    np.testing.assert_allclose(derivatives.curvatures[index], reference, atol=1e-8)


def test_the_index_is_constant_on_a_critical_set():
    curvatures = [
        landscape.local_derivatives(
            CASE, landscape.critical_points(jax.random.key(k), CASE)
        ).curvatures
        for k in (2, 3)
    ]
    first, second = (np.sign(np.where(np.abs(c) < 1e-9, 0, c)) for c in curvatures)
    np.testing.assert_array_equal(first, second)
    assert np.abs(curvatures[0] - curvatures[1]).max() > 1e-2


def test_directions_without_variance_are_flat():
    eigenvalues = np.array([3.0, 2.0, 1.0, 0.0, 0.0])
    case = landscape.Landscape(np.diag(np.sqrt(eigenvalues)), eigenvalues, np.eye(5), 2)
    points = landscape.critical_points(jax.random.key(0), case)
    for subset, curvatures in zip(
        landscape.subsets(case), landscape.local_derivatives(case, points).curvatures, strict=True
    ):
        if max(subset, default=0) < 3:
            counted = int(np.sum(curvatures < -1e-9)), int(np.sum(np.abs(curvatures) <= 1e-9))
            assert counted == landscape.predicted_index(eigenvalues, subset, 2)


@pytest.mark.parametrize(
    ("x", "code"),
    [
        (X, 3),
        pytest.param(DIGITS, 10, marks=pytest.mark.slow),
        (with_spectrum([5.0, 3, 1], features=6) + 1e6, 4),
    ],
    ids=["small", "digits", "rank < k, offset"],
)
def test_the_theorems_hold(x, code):
    for certificate in both(theory.pose(x, code)):
        assert certificate.verdict == "holds", str(certificate)
        assert certificate.residual <= certificate.tolerance < certificate.control / 1000


@pytest.mark.parametrize(
    ("x", "code", "verdict", "reason"),
    [
        (DATA["λ_3 = λ_4"], 3, "not identifiable", "least gap"),
        (DATA["condition 1e12"], 3, "not identifiable", "least gap"),
        (DATA["rank 1"], 1, "not applicable", "1 direction"),
        (X, 6, "not applicable", "features"),
        (DATA["one example"], 3, "not applicable", "no feature varies"),
        (X[:2], 3, "not applicable", "1 direction"),
    ],
)
def test_the_reason_explains_why_data_cannot_decide(x, code, verdict, reason):
    for certificate in both(theory.pose(x, code)):
        assert certificate.verdict == verdict
        assert reason in certificate.reason
        assert certificate.residual is None


def test_wide_data_are_projected_on_directions_with_distinct_eigenvalues():
    x = with_spectrum([9.0, 8, 8, 7, 6, 5, 4, 3, 2, 1], features=12)
    case, obstacle = landscape.landscape_or_obstacle(theory.pose(x, 5))
    assert obstacle is None
    assert case.code == 3
    np.testing.assert_allclose(9 * case.eigenvalues, [9, 8, 7, 6, 5, 4], atol=1e-12)
    np.testing.assert_allclose(case.factor.T @ case.factor, np.diag(case.eigenvalues), atol=1e-12)
    (first, _) = landscape.landscape_index(theory.pose(x, 5))
    assert first.verdict == "holds"
    assert "42 subsets of 6 directions with 3 code units (of 12 features" in first.reason


WRONG_FORMULAS = {
    "unused units forgotten": lambda n, f, r: (n - (3 - r) * (6 - r), f),
    "the literature's k² flat directions": lambda n, f, r: (n, 9),
    "pairs counted twice": lambda n, f, r: (2 * n, f),
    "minima everywhere": lambda n, f, r: (0, f),
}


@pytest.mark.parametrize("name", WRONG_FORMULAS)
def test_a_wrong_formula_for_the_index_fails(name, monkeypatch):
    right = landscape.predicted_index

    def wrong(eigenvalues, subset, code):
        return WRONG_FORMULAS[name](*right(eigenvalues, subset, code), len(subset))

    monkeypatch.setattr(landscape, "predicted_index", wrong)
    assert verdicts(landscape.landscape_index(PROBLEM)) == ["holds", "fails"]


def test_wrong_eigenvectors_fail():
    components = PROBLEM.pca.components.copy()
    turn = np.array([[np.cos(1e-4), np.sin(1e-4)], [-np.sin(1e-4), np.cos(1e-4)]])
    components[1:3] = turn @ components[1:3]
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(both(problem)) == ["fails"] * 3


def test_the_search_finds_saddles_as_well_as_the_minimum():
    maps = critical_points.find_critical_points(jax.random.key(0), CASE)
    ranks = np.trace(maps, axis1=1, axis2=2)
    np.testing.assert_allclose(ranks, np.round(ranks), atol=1e-9)
    assert len(np.unique(np.round(maps, 6), axis=0)) > 10
    assert len(np.unique(np.round(ranks))) > 1


def test_an_unsuccessful_search_is_not_identifiable(monkeypatch):
    monkeypatch.setattr(critical_points, "find_critical_points", lambda *_: np.zeros((0, 6, 6)))
    (certificate,) = critical_points.critical_point_search(PROBLEM)
    assert certificate.verdict == "not identifiable"
    assert "searches found a critical point" in certificate.reason


@pytest.mark.parametrize(
    "theorem", [landscape.landscape_index, critical_points.critical_point_search]
)
def test_results_do_not_depend_on_the_unit(theorem):
    assert_no_number_changes(theorem, X, 3)
