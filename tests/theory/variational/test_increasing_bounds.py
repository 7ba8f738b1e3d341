"""Importance-weighted bounds against SciPy's integrals; wrong bounds must fail."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from aejax import theory
from aejax.theory.variational import increasing_bounds
from tests.theory.degenerate_data import DATA, DIGITS, ONE_HOT, WINE, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"
STRETCH = increasing_bounds.STRETCH


def test_the_bounds_are_scipys_integrals():
    found = increasing_bounds.expected_bounds(PROBLEM)

    def weight(noise):
        return np.sqrt(STRETCH) * np.exp(-(STRETCH - 1) / 2 * noise**2)

    grid = np.linspace(-10, 10, 801)
    density, weights = scipy.stats.norm.pdf(grid), weight(grid)
    one = scipy.integrate.trapezoid(density * np.log(weights), grid)
    pairs = np.log((weights + weights[:, None]) / 2) * density * density[:, None]
    two = scipy.integrate.trapezoid(scipy.integrate.trapezoid(pairs, grid), grid)
    np.testing.assert_allclose(found[0], one, rtol=1e-9)
    np.testing.assert_allclose(found[1], two, rtol=1e-9)
    assert (np.diff(found, axis=0) > 1e-3).all()
    assert (found < 0).all()


def test_the_last_subset_is_the_bound_of_all_samples():
    found = increasing_bounds.bounds_of_subsets(PROBLEM)
    assert found.shape == (6, 8)
    assert (np.diff(found, axis=0) > 0).all()


CASES = {
    "regular": (X, 3, [HOLDS] * 3),
    "digits": (DIGITS, 10, [HOLDS] * 3),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 3),
    "all equal": (DATA["all λ equal"], 3, [HOLDS] * 3),
    "rank < k": (DATA["rank 2"], 3, [NA] * 3),
    "condition 1e12": (DATA["condition 1e12"], 3, [HOLDS] * 3),
    "condition 1e16": (DATA["condition 1e16, 200 examples"], 3, [NO] * 3),
    "wine": (WINE, 3, [HOLDS] * 3),
    "one-hot": (ONE_HOT, 3, [HOLDS] * 3),
    "k = n": (X, 6, [NA] * 3),
    "one example": (DATA["one example"], 3, [NA] * 3),
    "one unit": (X, 1, [HOLDS] * 3),
}
SLOW = dict.fromkeys(("digits", "one unit"), pytest.mark.slow)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.importance_weighting(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_a_bound_without_its_mean_fails(monkeypatch):
    right = increasing_bounds.importance_weighted_bound
    of_the_sum = lambda weights: right(weights) + np.log(len(weights))  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(increasing_bounds, "importance_weighted_bound", of_the_sum)
        assert verdicts(theory.importance_weighting(PROBLEM))[:2] == [HOLDS, "fails"]
    of_the_least = lambda weights: weights.min(axis=0)  # noqa: E731
    monkeypatch.setattr(increasing_bounds, "importance_weighted_bound", of_the_least)
    assert verdicts(theory.importance_weighting(PROBLEM)) == [HOLDS, "fails", "fails"]
