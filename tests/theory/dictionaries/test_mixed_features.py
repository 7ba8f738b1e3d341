"""Mixed features against SciPy's minimisation over all directions, and wrong formulas."""

import numpy as np
import pytest
import scipy.optimize

from aejax import theory
from aejax.theory.dictionaries import mixed_features
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
PLANE = np.eye(2)
ACTIVE = mixed_features.activities(mixed_features.FIRST, mixed_features.SECOND, mixed_features.BOTH)
HOLDS = ["holds"] * 3


def directions(angles):
    return np.c_[np.cos(angles), np.sin(angles)]


def one_term_loss(angles):
    """Mean error of the best code of one unit."""
    products = ACTIVE @ directions(angles).T
    return np.mean(np.sum(ACTIVE**2, axis=1) - np.max(products**2, axis=1))


def one_unit_loss(angle):
    """Loss of one direction with the best code and output bias."""
    centred = ACTIVE - ACTIVE.mean(axis=0)
    return np.mean(np.sum(centred**2, axis=1) - (centred @ directions(angle)[0]) ** 2)


def test_scipy_prefers_mixed_dictionaries_to_true_ones():
    true = one_term_loss(np.array([0, np.pi / 2]))
    assert mixed_features.few_units_loss(PLANE, 0.0, active=1)[0] == pytest.approx(true)
    found = scipy.optimize.minimize_scalar(
        lambda angle: one_term_loss(np.array([0, np.pi / 2 - angle])),
        bounds=(0, 1),
        method="bounded",
    )
    angle = np.arctan2(2 * 0.2, 0.1) / 2
    assert found.x == pytest.approx(angle, abs=1e-5)
    loss, slope = mixed_features.few_units_loss(PLANE, angle, active=1)
    assert found.fun == pytest.approx(loss, rel=1e-9)
    assert loss < true / 4
    assert slope == pytest.approx(0, abs=1e-14)
    best = scipy.optimize.brute(
        lambda angle: one_unit_loss(angle), [(0, np.pi)], Ns=400, full_output=True
    )
    angle, least = mixed_features.hedged_optimum()
    assert best[0][0] == pytest.approx(angle, abs=1e-4)
    assert best[1] == pytest.approx(least, abs=1e-8)
    assert least < min(one_unit_loss(0.0), one_unit_loss(np.pi / 2))
    centred = ACTIVE - ACTIVE.mean(axis=0)
    assert least == pytest.approx(np.linalg.eigvalsh(centred.T @ centred / 10)[0])


@pytest.mark.parametrize("angle", [0.1, 0.4, 0.7])
def test_the_loss_of_too_few_units_is_its_formula_with_its_slope(angle):
    def formula(angle):
        return 0.1 * np.sin(angle) ** 2 + 0.2 * (1 - np.sin(2 * angle))

    loss, slope = mixed_features.few_units_loss(PLANE, angle, active=1)
    assert loss == pytest.approx(formula(angle))
    difference = (formula(angle + 1e-6) - formula(angle - 1e-6)) / 2e-6
    assert slope == pytest.approx(difference, abs=1e-8)


def test_independent_features_are_not_hedged(monkeypatch):
    """Shares 0.3, 0.2 and 0.2, so that the second is as frequent with the first as without."""
    monkeypatch.setattr(mixed_features, "SECOND", 2)
    angle, least = mixed_features.hedged_optimum()
    assert angle == pytest.approx(0, abs=1e-12)
    assert least == pytest.approx(0.24)
    few, hedged, absorbed = theory.mixed_features(PROBLEM)
    assert (few.verdict, absorbed.verdict) == ("holds", "holds")
    assert hedged.verdict == "not identifiable"
    assert hedged.control_verdict == "not rejected"


def test_absorption_lowers_l1_at_every_angle_and_l0_where_the_parent_is_silent():
    angles = np.linspace(0, np.pi / 4, 5)
    terms = np.array([mixed_features.absorbed_terms(PLANE, angle) for angle in angles])
    np.testing.assert_allclose(terms[:, 0], 0, atol=1e-30)
    assert (np.diff(terms[:, 1]) < 0).all()
    np.testing.assert_allclose(terms[[0, -1], 1], [0.8, 0.4 + 0.2 * np.sqrt(2)])
    np.testing.assert_allclose(terms[:, 2], [0.8, 0.8, 0.8, 0.8, 0.6])
    assert mixed_features.absorbed_terms(PLANE, np.pi / 4, alone=1)[0] == pytest.approx(0.1)


CASES = {
    "digits": (DIGITS, 10, HOLDS),
    "one unit": (X, 1, HOLDS),
    "two features": (DATA["two features"], 1, HOLDS),
    "rank 1": (DATA["rank 1"], 3, HOLDS),
    "all equal": (DATA["all λ equal"], 3, HOLDS),
    "two examples": (DATA["two examples"], 3, HOLDS),
    "k = n": (X, 6, ["not applicable"] * 3),
    "constant data": (DATA["constant"], 3, ["not applicable"] * 3),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.mixed_features(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_wrong_closed_forms_fail(monkeypatch):
    angle, least = mixed_features.hedged_optimum()
    for optimum in ((angle + 1e-9, least), (angle, least + 1e-9)):
        monkeypatch.setattr(mixed_features, "hedged_optimum", lambda optimum=optimum: optimum)
        assert verdicts(theory.mixed_features(PROBLEM)) == ["holds", "fails", "holds"]
    monkeypatch.undo()
    right = mixed_features.absorbed_l1
    monkeypatch.setattr(mixed_features, "absorbed_l1", lambda angle: right(angle) + 1e-9 * angle)
    assert verdicts(theory.mixed_features(PROBLEM)) == ["holds", "holds", "fails"]


def test_features_that_are_not_orthogonal_fail():
    components = PROBLEM.pca.components.copy()
    components[1] = (components[1] + 1e-6 * components[0]) / np.hypot(1, 1e-6)
    problem = PROBLEM._replace(pca=PROBLEM.pca._replace(components=components))
    assert verdicts(theory.mixed_features(problem)) == ["fails"] * 3
