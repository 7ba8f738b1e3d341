"""Collapse of linear β-VAEs against SciPy from random starts, and wrong thresholds."""

import numpy as np
import pytest
import scipy.optimize

from aejax import theory
from aejax.theory.solvers.penalised import sum_gains
from aejax.theory.variational import linear_vae, posterior_collapse
from tests.theory.degenerate_data import DATA, DIGITS, ONE_HOT, WINE, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
S = np.cov(X, rowvar=False, bias=True) / np.var(X, axis=0).sum()
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"


def objective(flat, noise):
    """J for β = 2 in NumPy, of A, log d and W."""
    a, log_d, w = flat[:18].reshape(6, 3), flat[18:21], flat[21:].reshape(3, 6)
    variance, d, rest = noise / 2, np.exp(log_d), np.eye(6) - a @ w
    distortion = np.trace(rest.T @ S @ rest) + d @ np.sum(w**2, axis=1)
    rate = 0.5 * (np.trace(a.T @ S @ a) + np.sum(d - 1 - log_d))
    return 3 * np.log(2 * np.pi * variance) + distortion / (2 * variance) + 2 * rate


def test_scipy_trains_to_the_formula_and_uses_the_axes_above_the_threshold():
    noise = posterior_collapse.threshold(PROBLEM)
    values = np.linalg.eigvalsh(S)[::-1]
    assert noise == pytest.approx(values[1])  # the second axis is at equality
    generator = np.random.default_rng(0)
    ends = [
        scipy.optimize.minimize(objective, generator.normal(size=39), noise, options={"gtol": 1e-8})
        for _ in range(2)
    ]
    best = min(ends, key=lambda end: end.fun)
    assert posterior_collapse.least_objective(PROBLEM, noise) == pytest.approx(best.fun, abs=1e-5)
    norms = np.linalg.svd(best.x[21:].reshape(3, 6))[1] ** 2
    np.testing.assert_allclose(norms, np.maximum(values[:3] - noise, 0), atol=0.02)


def test_alternating_minimisation_converges_to_the_optimum_and_never_increases_j():
    noise = posterior_collapse.threshold(PROBLEM)
    decoder = np.random.default_rng(1).normal(size=(3, 6))
    found = []
    for _ in range(20):
        vae = posterior_collapse.alternating_minimisation(S, decoder, noise, steps=5)
        flat = np.concatenate([vae.encoder.ravel(), np.log(vae.variances), vae.decoder.ravel()])
        found.append(objective(flat, noise))
        decoder = vae.decoder
    least = posterior_collapse.least_objective(PROBLEM, noise)
    assert (np.diff(found) < 1e-12).all()
    assert least - 1e-12 < found[-1] < least + 1e-2


def test_the_map_is_that_of_l2_on_both_kernels():
    """x̂ of the mean code has the gains max(0, 1 − μ/λ) for μ = β σ²."""
    noise = posterior_collapse.threshold(PROBLEM)
    vae = linear_vae.optimal_linear_vae(PROBLEM, noise)
    gains = np.linalg.svd(vae.encoder @ vae.decoder)[1][:3]
    values = np.linalg.eigvalsh(S)[::-1][:3]
    np.testing.assert_allclose(gains, sum_gains(values, noise), atol=1e-12)


def test_a_unit_is_unstable_along_the_axes_above_the_threshold_only():
    noise = posterior_collapse.threshold(PROBLEM)
    found = posterior_collapse.instabilities(PROBLEM, noise)
    np.testing.assert_allclose(found, 1 - np.linalg.eigvalsh(S)[::-1][:4] / noise, atol=1e-12)
    assert found[0] < -0.1
    assert abs(found[1]) < 1e-14
    assert (found[2:] > 0.1).all()


CASES = {
    "regular": (X, 3, [HOLDS] * 2),
    "digits": (DIGITS, 10, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 2),
    "λ_1 = λ_2": (DATA["λ_1 = λ_2"], 3, [HOLDS] * 2),
    "all equal": (DATA["all λ equal"], 3, [HOLDS] * 2),
    "rank < k": (DATA["rank 2"], 3, [HOLDS] * 2),
    "condition 1e16": (DATA["condition 1e16, 200 examples"], 3, [HOLDS] * 2),
    "constant feature": (DATA["regular, last feature constant"], 3, [HOLDS] * 2),
    "wine": (WINE, 3, [HOLDS] * 2),
    "one-hot": (ONE_HOT, 3, [HOLDS] * 2),
    "k = n": (X, 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
    "one unit": (X, 1, [HOLDS] * 2),
    "m < n": (DATA["four examples"], 3, [HOLDS] * 2),
}
SLOW = dict.fromkeys(("digits", "one unit", "m < n"), pytest.mark.slow)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.posterior_collapse(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_another_threshold_fails(monkeypatch):
    right = posterior_collapse.optimal_linear_vae
    wrong = lambda problem, noise: right(problem, 1.0001 * noise)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(posterior_collapse, "optimal_linear_vae", wrong)
        assert verdicts(theory.posterior_collapse(PROBLEM)) == ["fails", HOLDS]
    least = posterior_collapse.least_objective
    higher = lambda problem, noise: least(problem, noise) + 1e-9  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(posterior_collapse, "least_objective", higher)
        assert verdicts(theory.posterior_collapse(PROBLEM)) == ["fails", HOLDS]
    found = posterior_collapse.instabilities
    without_weight = lambda problem, noise: found(problem, noise / 2)  # noqa: E731
    monkeypatch.setattr(posterior_collapse, "instabilities", without_weight)
    assert verdicts(theory.posterior_collapse(PROBLEM)) == [HOLDS, "fails"]
