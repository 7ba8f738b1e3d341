"""The amortisation gap against SciPy's training, and FISTA against scikit-learn's lasso."""

import numpy as np
import pytest
import scipy.optimize
from sklearn.linear_model import Lasso

from aejax import theory
from aejax.theory.dictionaries import amortisation_gap, sparse_coding
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
DIRECTIONS = amortisation_gap.three_directions(np.eye(2))
CODES = amortisation_gap.CODES


def test_the_second_direction_is_the_sum_of_the_others():
    np.testing.assert_allclose(DIRECTIONS[1], DIRECTIONS[0] + DIRECTIONS[2], atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(DIRECTIONS, axis=1), 1)


def encoder_error(flat, x):
    codes = np.maximum(x @ flat[:6].reshape(2, 3) + flat[6:], 0)
    error = codes - CODES
    slopes = 2 * error * (codes > 0)
    return np.sum(error**2), np.r_[(x.T @ slopes).ravel(), slopes.sum(axis=0)]


def test_scipy_trains_no_encoder_below_two_thirds():
    x, generator = CODES @ DIRECTIONS, np.random.default_rng(0)
    ends = [
        scipy.optimize.minimize(encoder_error, generator.normal(size=9), x, jac=True).fun
        for _ in range(60)
    ]
    assert min(ends) == pytest.approx(2 / 3, abs=1e-8)
    rows, thresholds = amortisation_gap.optimal_encoder(DIRECTIONS)
    stated = np.r_[rows.T.ravel(), -np.array(thresholds)]
    value, slope = encoder_error(stated, x)
    assert value == pytest.approx(2 / 3)
    assert np.abs(slope).max() < 1e-14
    assert amortisation_gap.encoder_error(DIRECTIONS)[0] == pytest.approx(2 / 3)


def test_fista_finds_the_codes_of_scikit_learns_lasso():
    """Its objective is ½ ‖x − h W_d‖²/n + α ‖h‖₁, so that α = λ/(2n)."""
    generator = np.random.default_rng(1)
    dictionary, x = generator.normal(size=(5, 8)), generator.normal(size=(4, 8))
    found = sparse_coding.fista(dictionary, x, weight=1.5, steps=3000)
    lasso = Lasso(alpha=1.5 / 2 / 8, fit_intercept=False, tol=1e-14, max_iter=100_000)
    expected = np.array([lasso.fit(dictionary.T, row).coef_ for row in x])
    assert 0 < (expected == 0).sum() < expected.size
    np.testing.assert_allclose(found, expected, atol=1e-9)


CASES = {
    "digits": (DIGITS, 10, "holds"),
    "one unit": (X, 1, "holds"),
    "two features": (DATA["two features"], 1, "holds"),
    "rank 1": (DATA["rank 1"], 3, "holds"),
    "all equal": (DATA["all λ equal"], 3, "holds"),
    "two examples": (DATA["two examples"], 3, "holds"),
    "k = n": (X, 6, "not applicable"),
    "constant data": (DATA["constant"], 3, "not applicable"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.amortisation_gap(theory.pose(x, code))
    check_verdicts(answers, [expected] * 2)
    assert all(answer.control > 0.6 for answer in answers if answer.verdict == "holds")


def test_another_encoder_or_another_bound_fails(monkeypatch):
    right = amortisation_gap.optimal_encoder

    def moved(directions):
        rows, thresholds = right(directions)
        return rows * (1 + 1e-9), thresholds

    with monkeypatch.context() as context:
        context.setattr(amortisation_gap, "optimal_encoder", moved)
        assert verdicts(theory.amortisation_gap(PROBLEM)) == ["fails", "holds"]
    monkeypatch.setattr(amortisation_gap, "LEAST_ERROR", 2 / 3 - 1e-9)
    assert verdicts(theory.amortisation_gap(PROBLEM)) == ["fails", "holds"]


def test_too_few_steps_or_a_shrinkage_of_lambda_fail(monkeypatch):
    monkeypatch.setattr(amortisation_gap, "FISTA_STEPS", 5)
    assert verdicts(theory.amortisation_gap(PROBLEM)) == ["holds", "fails"]
    monkeypatch.undo()
    right = sparse_coding.fista

    def doubled(*given, weight, steps):
        return right(*given, weight=2 * weight, steps=steps)

    monkeypatch.setattr(amortisation_gap, "fista", doubled)
    assert verdicts(theory.amortisation_gap(PROBLEM)) == ["holds", "fails"]
