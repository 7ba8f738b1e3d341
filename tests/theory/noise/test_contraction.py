"""Contractive linear autoencoders against SciPy from random starts, and wrong formulas."""

import numpy as np
import pytest
import scipy.optimize

from aejax import theory
from aejax.theory.noise import contraction
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
S = np.cov(X, rowvar=False, bias=True) / np.var(X, axis=0).sum()
NOT_APPLICABLE = ["not applicable"] * 2


def tied(weight):
    def loss_and_gradient(flat):
        w = flat.reshape(6, 3)
        rest = np.eye(6) - w @ w.T
        slope = -2 * (S @ rest @ w + rest @ S @ w) + 2 * weight * w
        return np.trace(rest @ S @ rest) + weight * np.sum(w**2), slope.ravel()

    return loss_and_gradient


@pytest.mark.parametrize("fraction", [0.2, 1.0, 1.5])
def test_scipy_trains_to_the_tied_loss_and_gains_from_random_starts(fraction, monkeypatch):
    weight = fraction * contraction.penalty_weight(PROBLEM)
    monkeypatch.setattr(contraction, "penalty_weight", lambda problem: weight)
    generator = np.random.default_rng(0)
    ends = [
        scipy.optimize.minimize(
            tied(weight), generator.normal(size=18), jac=True, options={"gtol": 1e-10}
        )
        for _ in range(5)
    ]
    best = min(ends, key=lambda end: end.fun)
    assert contraction.tied_loss(PROBLEM) == pytest.approx(best.fun, rel=1e-9)
    gains = np.linalg.svd(best.x.reshape(6, 3))[1] ** 2
    np.testing.assert_allclose(contraction.tied_gains(PROBLEM), gains, atol=1e-5)
    assert verdicts(contraction.contractive_optimum(PROBLEM)) == ["holds", "holds"]


def test_half_the_weight_is_between_kept_eigenvalues_so_that_gains_vanish():
    problem = theory.pose(DIGITS, 10)
    gains = contraction.tied_gains(problem)
    assert 0 < np.sum(gains > 0) < 10
    assert (np.diff(gains) <= 0).all()
    assert gains[0] == pytest.approx(
        1 - contraction.penalty_weight(problem) / 2 / contraction.spectrum(problem)[0]
    )


def test_the_librarys_objective_is_the_loss_and_the_encoders_squared_norm():
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(6, 3)), generator.normal(size=(3, 6))
    weight, rest = contraction.penalty_weight(PROBLEM), np.eye(6) - a @ b
    loss, _ = contraction.contractive_objective(PROBLEM, a, b)
    assert loss == pytest.approx(np.trace(rest.T @ S @ rest) + weight * np.sum(a**2), rel=1e-12)
    loss, gradient = contraction.contractive_objective(PROBLEM, a)
    expected, slope = tied(weight)(a.ravel())
    assert loss == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(np.linalg.norm(slope), rel=1e-12)


def test_the_untied_sequence_decreases_to_pca_with_a_nonzero_gradient():
    rows = theory.pca(X).components[:3]
    pairs = [
        contraction.contractive_objective(PROBLEM, rows.T / t, rows * t)
        for t in contraction.STRETCHES
    ]
    losses, gradients = np.transpose(pairs)
    infimum = theory.least_loss(PROBLEM.pca, 3) / theory.least_loss(PROBLEM.pca, 0)
    assert (np.diff(losses) < 0).all()
    assert infimum < losses[-1] < infimum + 1e-5
    weight = contraction.penalty_weight(PROBLEM)
    expected = 2 * weight * np.sqrt(3) / np.array(contraction.STRETCHES)
    np.testing.assert_allclose(gradients, expected, rtol=1e-9)


CASES = {
    "digits": (DIGITS, 10, ["holds"] * 2),
    "digits, small and offset": (DATA["digits, small unit and offset"], 10, ["holds"] * 2),
    "one unit": (X, 1, ["holds"] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds"] * 2),
    "all equal": (DATA["all λ equal"], 3, ["holds"] * 2),
    "constant feature": (DATA["regular, last feature constant"], 3, ["holds"] * 2),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 2),
    "m < n": (DATA["four examples"], 3, ["holds"] * 2),
    "condition 1e12": (DATA["condition 1e12"], 3, ["holds"] * 2),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = contraction.contractive_optimum(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_wrong_gains_and_wrong_eigenvalues_fail(monkeypatch):
    divided = PROBLEM.pca._replace(eigenvalues=PROBLEM.pca.eigenvalues * (1 + np.arange(6) * 1e-9))
    answers = contraction.contractive_optimum(PROBLEM._replace(pca=divided))
    assert verdicts(answers) == ["fails", "fails"]
    right = contraction.tied_gains
    monkeypatch.setattr(contraction, "tied_gains", lambda problem: right(problem) + 1e-9)
    assert verdicts(contraction.contractive_optimum(PROBLEM)) == ["holds", "fails"]


def test_a_penalty_on_both_kernels_fails(monkeypatch):
    """Gains 1 − μ/λ of L2 on both kernels (Kunin et al. 2019)."""
    kept, weight = contraction.spectrum(PROBLEM), contraction.penalty_weight(PROBLEM)
    monkeypatch.setattr(contraction, "tied_gains", lambda problem: np.maximum(0, 1 - weight / kept))
    assert verdicts(contraction.contractive_optimum(PROBLEM)) == ["holds", "fails"]
