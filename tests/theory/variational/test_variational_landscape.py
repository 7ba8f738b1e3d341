"""Stationary points of the evidence lower bound; wrong counts must fail."""

import numpy as np
import pytest

from aejax import theory
from aejax.theory.optimum import landscape
from aejax.theory.variational import variational_landscape
from tests.theory.degenerate_data import DATA
from tests.theory.spectra import with_spectrum
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import check_verdicts, verdicts

SPECTRUM = np.array([6.0, 5.0, 4.0, 2.0, 1.0, 0.5])
PROBLEM = theory.pose(with_spectrum(SPECTRUM), 3)
CASE, _ = landscape.landscape_or_obstacle(PROBLEM)
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"


@pytest.fixture(scope="module")
def derivatives():
    return variational_landscape.stationary_derivatives(CASE)


def test_all_indices_are_as_predicted_and_exactly_one_is_a_minimum(derivatives):
    minima, chosen = [], variational_landscape.used_sets(CASE)
    for subset, curvatures in zip(chosen, derivatives.curvatures[:-2], strict=True):
        counted = int(np.sum(curvatures < -1e-9)), int(np.sum(np.abs(curvatures) <= 1e-9))
        assert counted == variational_landscape.predicted_evidence_index(CASE, subset)
        minima += [subset] if counted[0] == 0 else []
    assert minima == [(0, 1, 2)]
    assert len(chosen) == 15  # subsets of at most three of four directions
    assert derivatives.curvatures.shape[1] == 6 * 6 + 6 + 3 * 6 + 6


def test_shared_axes_are_stationary_saddles_for_one_scale_only(derivatives):
    assert derivatives.gradient[-2] < 1e-13
    assert derivatives.gradient[-1] > 1e-4
    assert derivatives.curvatures[-2, 0] < -1e-4
    assert derivatives.curvatures[-2, 1] > 0  # only the rotation decreases J
    place = variational_landscape.used_sets(CASE).index((0, 1, 2))
    scale = np.mean(np.sqrt(SPECTRUM[:2] / 6)) ** 2
    excess = np.log(scale) - np.log(np.prod(SPECTRUM[:2] / 6)) / 2
    assert derivatives.loss[-2] - derivatives.loss[place] == pytest.approx(excess, abs=1e-13)


def test_the_noise_variance_is_between_two_eigenvalues():
    above, variance = variational_landscape.noise_between(CASE)
    assert above == 4
    assert variance == pytest.approx(np.sqrt(2.0) / 6)
    two = landscape.Landscape(np.eye(2), np.array([1.0, 0.5]), np.eye(2), 1)
    assert variational_landscape.noise_between(two) == (1, np.sqrt(0.5))


CASES = {
    "regular": (with_spectrum(SPECTRUM), 3, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [NO] * 2),
    "condition 1e12": (DATA["condition 1e12"], 3, [NO] * 2),
    "k = n": (with_spectrum(SPECTRUM), 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
    "rank < k": (DATA["rank 2"], 3, [HOLDS, NA]),
    "m < n": (DATA["four examples"], 3, [HOLDS] * 2),
}
SLOW = dict.fromkeys(("rank < k", "m < n"), pytest.mark.slow)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.variational_landscape(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_wrong_counts_fail(monkeypatch):
    right = variational_landscape.predicted_evidence_index

    def of_the_likelihood(case, indices):
        """Rotations of the code are flat for the likelihood, not for the bound."""
        used = len(indices)
        return right(case, indices)[0], used * (used - 1) // 2 + used * (case.code - used)

    monkeypatch.setattr(variational_landscape, "predicted_evidence_index", of_the_likelihood)
    assert verdicts(theory.variational_landscape(PROBLEM)) == ["fails", HOLDS]


def test_the_result_does_not_depend_on_the_unit():
    assert_no_number_changes(theory.variational_landscape, with_spectrum(SPECTRUM), 3)
