"""Shrinkage by L1 against scikit-learn's lasso, and wrong thresholds."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import Lasso

from aejax import theory
from aejax.theory.dictionaries import soft_thresholds
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
CASE = soft_thresholds.paired_directions(PROBLEM)


def test_scikit_learns_lasso_finds_the_same_codes():
    """Its objective is ½ ‖x − h W_d‖²/n + α ‖h‖₁, so that λ = 2 n α."""
    weight, units = 2 * CASE.threshold, CASE.scores.shape[1]
    lasso = Lasso(alpha=weight / 12, fit_intercept=False, tol=1e-15, max_iter=100_000)
    expected = np.array([lasso.fit(CASE.kernel[:units].T, row).coef_ for row in CASE.rows])
    found = soft_thresholds.soft_threshold(CASE.scores, CASE.threshold)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert 0 < (found == 0).sum() < found.size
    errors = np.sum((CASE.rows - found @ CASE.kernel[:units]) ** 2, axis=1)
    objective = np.mean(errors + weight * np.abs(found).sum(axis=1))
    assert soft_thresholds.least_l1_objective(CASE) == pytest.approx(objective, rel=1e-12)


def test_half_of_the_weakest_deviation_is_the_threshold():
    weakest = np.sqrt(np.mean(CASE.scores[:, 2] ** 2))
    assert CASE.threshold == pytest.approx(weakest / 2)
    assert np.linalg.norm(CASE.rows, axis=1).max() == pytest.approx(1)
    np.testing.assert_array_equal(CASE.kernel[3:], -CASE.kernel[:3])


def test_the_shrinkage_of_l1_is_its_threshold_and_that_of_a_selection_is_zero():
    shrunk = soft_thresholds.shrinkage(CASE, jax.nn.relu, threshold=CASE.threshold)
    assert shrunk == pytest.approx(CASE.threshold)
    assert soft_thresholds.shrinkage(CASE, jax.nn.relu) < 1e-14


CASES = {
    "digits": (DIGITS, 10, ["holds"] * 2),
    "one unit": (X, 1, ["holds"] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds"] * 2),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 2),
    "four examples": (DATA["four examples"], 3, ["holds"] * 2),
    "two values": (DATA["scores of two values"], 1, ["holds"] * 2),
    "k = n": (X, 6, ["not applicable"] * 2),
    "constant data": (DATA["constant"], 3, ["not applicable"] * 2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.soft_thresholds(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_a_squared_error_with_one_half_fails(monkeypatch):
    right = soft_thresholds.paired_directions

    def doubled(problem):
        case = right(problem)
        return case._replace(scores=case.scores / 2)

    monkeypatch.setattr(soft_thresholds, "paired_directions", doubled)
    assert verdicts(theory.soft_thresholds(PROBLEM))[0] == "fails"
    monkeypatch.undo()
    monkeypatch.setattr(soft_thresholds, "soft_threshold", lambda a, t: np.sign(a) * (abs(a) - t))
    assert verdicts(theory.soft_thresholds(PROBLEM)) == ["fails", "holds"]


def test_an_activation_that_shrinks_fails(monkeypatch):
    monkeypatch.setattr(soft_thresholds, "top_k_relu", lambda k: lambda z: jax.nn.relu(z - 1e-9))
    assert verdicts(theory.soft_thresholds(PROBLEM)) == ["holds", "fails"]


def test_directions_that_are_not_orthogonal_fail():
    components = PROBLEM.pca.components.copy()
    components[1] = (components[1] + 1e-6 * components[0]) / np.hypot(1, 1e-6)
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(theory.soft_thresholds(problem)) == ["fails", "fails"]
