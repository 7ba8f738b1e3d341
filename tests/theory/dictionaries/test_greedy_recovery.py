"""Greedy pursuit against scikit-learn's, within the coherence bound and at it."""

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from aejax import theory
from aejax.theory.dictionaries import greedy_recovery, sparse_coding
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
WITHIN, BEYOND = (greedy_recovery.simplex(np.eye(dimension)) for dimension in (6, 5))
NOT_APPLICABLE = ["not applicable"] * 2


def test_a_simplex_has_unit_directions_of_equal_products_and_no_sum():
    for dimension in (1, 2, 5, 6):
        rows = greedy_recovery.simplex(np.eye(dimension))
        expected = (1 + 1 / dimension) * np.eye(dimension + 1) - 1 / dimension
        np.testing.assert_allclose(rows @ rows.T, expected, atol=1e-15)
        np.testing.assert_allclose(rows.sum(axis=0), 0, atol=1e-15)
        assert sparse_coding.coherence(rows) == pytest.approx(1 / dimension)


def test_scikit_learns_pursuit_recovers_within_the_bound_and_not_at_it():
    for dictionary, recovered in ((WITHIN, True), (BEYOND, False)):
        codes = greedy_recovery.sparse_signals(PROBLEM, len(dictionary), 3)
        found = orthogonal_mp(dictionary.T, (codes @ dictionary).T, n_nonzero_coefs=3).T
        assert (np.abs(found - codes).max() < 1e-12) == recovered


def test_pursuit_finds_the_codes_that_scikit_learn_finds_of_any_data():
    generator = np.random.default_rng(0)
    dictionary = generator.normal(size=(12, 6))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    x = generator.normal(size=(30, 6))
    for steps in (1, 2, 4):
        expected = orthogonal_mp(dictionary.T, x.T, n_nonzero_coefs=steps).T
        found = sparse_coding.orthogonal_matching_pursuit(dictionary, x, steps=steps)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_all_supports_and_signs_are_tried():
    codes = greedy_recovery.sparse_signals(PROBLEM, 7, 3)
    assert len(codes) == 2 * 35 * 8
    assert len(np.unique(np.sign(codes), axis=0)) == 35 * 8
    sizes = np.abs(codes[codes != 0])
    assert sizes.min() == 1
    assert 1.9 < sizes.max() < 2


def test_plain_pursuit_reduces_the_error_by_the_factor_of_the_proof():
    """1 − (1 − (k − 1) μ)/k per step: 7/9 for three units of coherence 1/6."""
    codes = greedy_recovery.sparse_signals(PROBLEM, 7, 3)
    residual = codes @ WITHIN
    for _ in range(30):
        scores = residual @ WITHIN.T
        best = np.abs(scores).argmax(axis=1)
        before = np.sum(residual**2, axis=1)
        assert (codes[np.arange(len(codes)), best] != 0)[before > 1e-20].all()
        residual = residual - scores[np.arange(len(codes)), best, None] * WITHIN[best]
        assert (np.sum(residual**2, axis=1) <= (7 / 9 + 1e-12) * before).all()


CASES = {
    "digits": (DIGITS, 10, ["holds"] * 2),
    "one unit": (X, 1, ["holds"] * 2),
    "two features": (DATA["two features"], 1, ["holds"] * 2),
    "all equal": (DATA["all λ equal"], 3, ["holds"] * 2),
    "constant feature": (DATA["regular, last feature constant"], 3, ["holds"] * 2),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 2),
    "two examples": (DATA["two examples"], 3, ["holds"] * 2),
    "condition 1e24": (DATA["condition 1e24, 200 examples"], 3, ["holds"] * 2),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.greedy_recovery(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_a_pursuit_that_selects_the_largest_signed_product_fails(monkeypatch):
    right = sparse_coding.orthogonal_matching_pursuit

    def positive(dictionary, x, *, steps):
        return np.maximum(right(dictionary, x, steps=steps), 0)

    monkeypatch.setattr(greedy_recovery, "orthogonal_matching_pursuit", positive)
    assert verdicts(theory.greedy_recovery(PROBLEM))[0] == "fails"


def test_matching_pursuit_of_too_few_steps_fails(monkeypatch):
    monkeypatch.setattr(greedy_recovery, "PURSUIT_STEPS", 20)
    assert verdicts(theory.greedy_recovery(PROBLEM)) == ["fails", "holds"]


def test_directions_of_other_products_fail(monkeypatch):
    right = greedy_recovery.simplex
    monkeypatch.setattr(greedy_recovery, "simplex", lambda rows: right(rows) + 1e-9 * rows[0])
    assert verdicts(theory.greedy_recovery(PROBLEM)) == ["fails", "fails"]
