"""The rate–distortion function against SciPy, and encoders that do not attain it."""

import numpy as np
import pytest
import scipy.optimize

from aejax import theory
from aejax.theory.variational import rate_distortion
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
VALUES = np.linalg.eigvalsh(np.cov(X, rowvar=False, bias=True))[::-1] / np.var(X, axis=0).sum()
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"


@pytest.mark.parametrize("distortion", [0.01, 0.2, 0.7, 0.99])
def test_water_filling_finds_the_level_that_scipy_finds(distortion):
    level = scipy.optimize.brentq(
        lambda level: np.minimum(VALUES, level).sum() - distortion, 1e-6, 1, xtol=1e-15
    )
    rate = 0.5 * np.log(np.maximum(VALUES / level, 1)).sum()
    assert rate_distortion.gaussian_rate(VALUES, distortion) == pytest.approx(rate, rel=1e-9)
    assert rate_distortion.gaussian_rate(VALUES, 1 + 1e-12) == 0
    with_zeros = np.append(VALUES, [0.0, 0.0])
    assert rate_distortion.gaussian_rate(with_zeros, distortion) == pytest.approx(rate, rel=1e-9)


def test_a_scalar_code_has_half_a_log_of_the_ratio():
    rate = rate_distortion.gaussian_rate(np.array([2.0]), 0.5)
    assert rate == pytest.approx(0.5 * np.log(4), rel=1e-15)


def test_the_levels_are_at_least_the_next_eigenvalue():
    found = rate_distortion.levels(PROBLEM)
    np.testing.assert_allclose(found[[0, -1]], [max(VALUES[3], VALUES[2] / 2), VALUES[0]])


def test_other_encoders_are_above_the_curve():
    for level in rate_distortion.levels(PROBLEM)[1:4]:
        for factor in (0.5, 0.9, 1.1, 2.0):
            found = rate_distortion.evidence_at_level(PROBLEM, level, shrinkage=factor)
            assert found.rate > rate_distortion.gaussian_rate(VALUES, found.distortion) + 1e-4
        found = rate_distortion.evidence_at_level(PROBLEM, level)
        expected = rate_distortion.gaussian_rate(VALUES, found.distortion)
        assert found.rate == pytest.approx(expected, abs=1e-12)


CASES = {
    "regular": (X, 3, [HOLDS] * 2),
    "digits": (DIGITS, 10, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 2),
    "all equal": (DATA["all λ equal"], 3, [HOLDS] * 2),
    "rank < k": (DATA["rank 2"], 3, [HOLDS] * 2),
    "k = n": (X, 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
    "one unit": (X, 1, [HOLDS] * 2),
    "m < n": (DATA["four examples"], 3, [HOLDS] * 2),
}
SLOW = dict.fromkeys(("digits", "one unit", "m < n"), pytest.mark.slow)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.rate_distortion(theory.pose(x, code))
    check_verdicts(answers, expected)
    assert all(answer.residual <= 1e-10 for answer in answers if answer.verdict == HOLDS)


def test_an_encoder_for_another_level_fails(monkeypatch):
    right = rate_distortion.optimal_linear_vae
    wrong = lambda problem, level: right(problem, 1.001 * level)  # noqa: E731
    monkeypatch.setattr(rate_distortion, "optimal_linear_vae", wrong)
    assert verdicts(theory.rate_distortion(PROBLEM)) == ["fails", "fails"]
