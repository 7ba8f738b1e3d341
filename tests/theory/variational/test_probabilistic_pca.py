"""Probabilistic PCA against SciPy, scikit-learn and finite differences; wrong formulas fail."""

import jax
import mpmath
import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.optimum import landscape
from aejax.theory.variational import factor_likelihood, probabilistic_pca
from tests.theory.degenerate_data import DATA, DIGITS, ONE_HOT, WINE, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
CASE, _ = landscape.landscape_or_obstacle(PROBLEM)
S = np.cov(X, rowvar=False, bias=True) / np.var(X, axis=0).sum()


def test_the_likelihood_is_scipys():
    generator = np.random.default_rng(0)
    rows, loadings = generator.normal(size=(10, 6)), generator.normal(size=(3, 6))
    value, gradient = factor_likelihood.likelihood_and_gradient(rows, loadings, 0.3)
    covariance = 0.3 * (np.eye(6) + loadings.T @ loadings)
    expected = scipy.stats.multivariate_normal(np.zeros(6), covariance).logpdf(rows)
    assert value == pytest.approx(-expected.mean(), rel=1e-13)
    inverse = np.linalg.inv(covariance)
    slope = inverse - inverse @ (rows.T @ rows / 10) @ inverse
    parts = [0.3 * loadings @ slope, 0.5 * 0.3 * np.trace(slope)]
    assert gradient == pytest.approx(np.sqrt(sum(np.sum(np.square(each)) for each in parts)))


def test_the_likelihood_is_exact_to_the_root_of_the_condition_number():
    """λ_1/σ² = 10¹²: a factorised covariance has errors of 10⁻⁴, least squares of 10⁻¹⁰."""
    generator = np.random.default_rng(1)
    basis = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    loadings = rotation @ (np.array([1e6, 1e4, 10.0])[:, None] * basis[:3])
    rows = generator.normal(size=(4, 6)) * np.array([1, 1e-2, 1e-5, 1e-6, 1e-6, 1e-6]) @ basis.T
    found = factor_likelihood.log_densities(rows, loadings, 1e-12)
    with mpmath.workdps(60):
        decoder = mpmath.mpf(10) ** -6 * mpmath.matrix(loadings)
        covariance = decoder.T * decoder + mpmath.mpf(10) ** -12 * mpmath.eye(6)
        constant = 6 * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(covariance))
        energies = [(mpmath.matrix(x).T * covariance**-1 * mpmath.matrix(x))[0] for x in rows]
        expected = [float(-(constant + each) / 2) for each in energies]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_maximum_is_the_score_of_scikit_learns_pca():
    """Its variances are divided by m − 1, so its model is not quite the most likely one."""
    fitted = PCA(3, svd_solver="full").fit(X)
    m, n = X.shape
    least = factor_likelihood.least_negative_log_likelihood(
        fitted.explained_variance_, float(fitted.noise_variance_), n
    )
    assert -fitted.score(X) == pytest.approx(least - n / 2 + n / 2 * (m - 1) / m, rel=1e-12)
    total = np.var(X, axis=0).sum() * m / (m - 1)
    variance = probabilistic_pca.noise_variance_of_likelihood(PROBLEM)
    assert variance == pytest.approx(fitted.noise_variance_ / total, rel=1e-12)


def test_em_converges_to_the_formula_and_never_decreases_the_likelihood():
    loadings, variance = np.random.default_rng(1).normal(size=(3, 6)), 1.0
    values = []
    for _ in range(800):
        loadings, variance = factor_likelihood.expectation_maximisation(
            S, loadings, variance, steps=1
        )
        covariance = variance * np.eye(6) + loadings.T @ loadings
        _, determinant = np.linalg.slogdet(2 * np.pi * covariance)
        values.append((determinant + np.trace(np.linalg.solve(covariance, S))) / 2)
    assert (np.diff(values) < 1e-12).all()
    kept = np.linalg.eigvalsh(S)[::-1]
    least = factor_likelihood.least_negative_log_likelihood(kept[:3], kept[3:].mean(), 6)
    assert values[-1] == pytest.approx(least, abs=1e-9)
    assert values[0] > least + 1e-3


def test_all_indices_are_as_predicted_and_exactly_one_is_a_maximum():
    chosen, local = probabilistic_pca.likelihood_derivatives(PROBLEM, CASE)
    maxima = []
    for subset, curvatures in zip(chosen, local.curvatures, strict=True):
        counted = int(np.sum(curvatures < -1e-9)), int(np.sum(np.abs(curvatures) <= 1e-9))
        predicted = probabilistic_pca.predicted_likelihood_index(CASE.eigenvalues, subset, 3)
        assert counted == predicted
        maxima += [subset.indices] if counted[0] == 0 else []
    assert maxima == [(0, 1, 2)]
    assert len(chosen) >= 8
    assert local.loss.argmin() == [each.indices for each in chosen].index((0, 1, 2))


def test_the_hessian_equals_finite_differences():
    chosen, local = probabilistic_pca.likelihood_derivatives(PROBLEM, CASE)
    place = [each.indices for each in chosen].index((0, 1))
    indices, variance = chosen[place]
    kept = list(indices)
    axes = factor_likelihood.axes_scaled_by_signal(
        CASE.eigenvalues[kept], CASE.components[kept], variance
    )
    loadings = probabilistic_pca.rotated(PROBLEM, np.pad(axes, ((0, 1), (0, 0))))
    covariance = CASE.factor.T @ CASE.factor

    def gradient(flat):
        u, s = flat[:18].reshape(3, 6), np.exp(flat[18])
        inverse = np.linalg.inv(s * (np.eye(6) + u.T @ u))
        slope = inverse - inverse @ covariance @ inverse
        return np.append(s * u @ slope, 0.5 * np.trace(slope @ np.linalg.inv(inverse)))

    at, step = np.append(loadings, np.log(variance)), 1e-5
    rows = [(gradient(at + step * e) - gradient(at - step * e)) / (2 * step) for e in np.eye(19)]
    reference = np.linalg.eigvalsh(np.array(rows + np.transpose(rows)) / 2)
    np.testing.assert_allclose(local.curvatures[place], reference, atol=1e-7)


def test_sets_of_small_eigenvalues_are_not_stationary():
    chosen = {each.indices for each in probabilistic_pca.stationary_subsets(CASE)}
    assert (0, 1, 2) in chosen
    assert () in chosen
    assert not chosen & {(3, 4, 5), (5,), (1, 5)}
    mean = landscape.Landscape(np.eye(3), np.array([3.0, 2.0, 1.0]), np.eye(3), 1)
    assert [each.indices for each in probabilistic_pca.stationary_subsets(mean)] == [(0,)]


HOLDS, NA, NO = "holds", "not applicable", "not identifiable"
CASES = {
    "digits": (DIGITS, 10, [HOLDS] * 2),
    "digits, huge offset": (DATA["digits, huge offset"], 10, [HOLDS] * 2),
    "regular": (X, 3, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS, NO]),
    "all equal": (DATA["all λ equal"], 3, [HOLDS, NO]),
    "constant feature": (DATA["regular, last feature constant"], 3, [HOLDS] * 2),
    "rank < k": (DATA["rank 2"], 3, [NA, HOLDS]),
    "rank = k": (DATA["rank 3"], 3, [NA, HOLDS]),
    "condition 1e12": (DATA["condition 1e12"], 3, [HOLDS, NO]),
    "condition 1e16": (DATA["condition 1e16, 200 examples"], 3, [NO, NO]),
    "wine": (WINE, 3, [HOLDS, NO]),
    "one-hot": (ONE_HOT, 3, [HOLDS] * 2),
    "k = n": (X, 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
    "constant data": (DATA["constant"], 3, [NA] * 2),
}
SLOW = dict.fromkeys(
    ("constant feature", "rank < k", "rank = k", "one-hot"), pytest.mark.slow
)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.probabilistic_pca(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_another_noise_variance_or_subset_fails(monkeypatch):
    right = probabilistic_pca.noise_variance_of_likelihood
    with monkeypatch.context() as patch:
        wrong = lambda problem: right(problem) * (1 + 1e-5)  # noqa: E731
        patch.setattr(probabilistic_pca, "noise_variance_of_likelihood", wrong)
        assert verdicts(theory.probabilistic_pca(PROBLEM)) == ["fails", HOLDS]
    order = [0, 1, 3, 2, 4, 5]  # stationary too, at a lower likelihood, which EM exceeds
    swapped = PROBLEM.pca._replace(
        eigenvalues=PROBLEM.pca.eigenvalues[order], components=PROBLEM.pca.components[order]
    )
    (answer, _) = theory.probabilistic_pca(PROBLEM._replace(pca=swapped))
    assert answer.verdict == "fails"


def test_a_wrong_count_fails(monkeypatch):
    right = probabilistic_pca.predicted_likelihood_index

    def without_unused_units(eigenvalues, subset, code):
        return right(eigenvalues, subset, len(subset.indices))

    monkeypatch.setattr(probabilistic_pca, "predicted_likelihood_index", without_unused_units)
    assert verdicts(theory.probabilistic_pca(PROBLEM)) == [HOLDS, "fails"]


def test_the_rotation_is_orthogonal_and_depends_on_the_key():
    first, second = (
        probabilistic_pca.rotated(PROBLEM._replace(key=jax.random.key(seed)), np.eye(3))
        for seed in (0, 1)
    )
    np.testing.assert_allclose(first @ first.T, np.eye(3), atol=1e-14)
    assert np.abs(first - second).max() > 0.1
