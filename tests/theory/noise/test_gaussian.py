"""Denoising linear autoencoders against SciPy, scikit-learn, enumeration and sampled noise."""

import itertools

import jax
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from sklearn.linear_model import Ridge

from aejax import theory
from aejax.theory.noise import gaussian, masking, monte_carlo
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.spectra import with_spectrum
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import verdicts

R = X - X.mean(axis=0)
S = R.T @ R / len(R)
PROBLEM = theory.pose(X, 3)
VARIANCE = gaussian.noise_variance(PROBLEM)
CONSTANT = DATA["regular, last feature constant"]
THEOREMS = (gaussian.gaussian_denoising, masking.masking_denoising, monte_carlo.sampled_denoising)
NOT_APPLICABLE = ["not applicable"] * 8


def answers_of(x, code, theorems=THEOREMS):
    problem = theory.pose(x, code)
    return [certificate for theorem in theorems for certificate in theorem(problem)]


def test_the_smallest_gain_is_a_half():
    assert pytest.approx(2.0) == VARIANCE
    kernels = gaussian.damped_kernels(PROBLEM, VARIANCE)
    gains = np.linalg.svd(kernels.encoder @ kernels.decoder)[1]
    np.testing.assert_allclose(gains[:3], [6 / 8, 4 / 6, 1 / 2], rtol=1e-12)


def test_damped_components_are_ridge_regression_projected_on_pca():
    ridge = Ridge(alpha=len(R) * VARIANCE, fit_intercept=False).fit(R, R).coef_.T
    rows = theory.pca(X).components[:3]
    kernels = gaussian.damped_kernels(PROBLEM, VARIANCE)
    np.testing.assert_allclose(kernels.encoder @ kernels.decoder, ridge @ rows.T @ rows, atol=1e-12)


def descend(matrix, cross):
    """Minimum loss by SciPy from three random starts, for W of rank three."""
    generator = np.random.default_rng(0)

    def loss_and_gradient(flat):
        a, b = flat[:18].reshape(6, 3), flat[18:].reshape(3, 6)
        slope = 2 * (matrix @ a @ b - cross)
        loss = np.trace(S) - 2 * np.sum(cross * (a @ b)) + np.sum((a @ b) * (matrix @ a @ b))
        return loss, np.concatenate([(slope @ b.T).ravel(), (a.T @ slope).ravel()])

    return min(
        scipy.optimize.minimize(
            loss_and_gradient, generator.normal(size=36), jac=True, options={"gtol": 1e-9}
        ).fun
        for _ in range(3)
    )


def test_scipy_trains_to_the_gaussian_loss():
    trained = descend(S + VARIANCE * np.eye(6), S)
    assert gaussian.gaussian_loss(PROBLEM, VARIANCE) == pytest.approx(trained, rel=1e-9)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_scipy_trains_to_the_masking_loss(rate):
    matrix = (1 - rate) ** 2 * S + rate * (1 - rate) * np.diag(np.diag(S))
    case = masking.masking_regression(PROBLEM.moments.factor, rate=rate)
    least = gaussian.least_regression_loss(case, 3)
    assert least == pytest.approx(descend(matrix, (1 - rate) * S), rel=1e-9)
    kernels = masking.reduced_rank_regression(case, 3)
    loss, gradient = gaussian.expected_loss(case, kernels)
    assert loss == pytest.approx(least, rel=1e-12)
    assert gradient < 1e-12


def test_the_expectation_over_masks_is_that_of_all_64_masks():
    kernels = masking.masking_kernels(PROBLEM)
    weights = kernels.encoder @ kernels.decoder
    q = masking.RATE
    total = 0.0
    for mask in itertools.product([0, 1], repeat=6):
        chance = np.prod([1 - q if bit else q for bit in mask])
        total += chance * np.sum((R * mask @ weights - R) ** 2) / len(R)
    loss, _ = gaussian.expected_loss(masking.masking_regression(PROBLEM.moments.factor), kernels)
    assert loss == pytest.approx(total, rel=1e-12)
    noise = monte_carlo.Noise(
        lambda level: lambda key, x: x, q, 1 - q, q * (1 - q) * np.mean(R**2, axis=0)
    )
    assert monte_carlo.expectation(R, kernels, noise) == pytest.approx(total, rel=1e-12)


def test_a_constant_feature_uses_the_pseudo_inverse():
    kernels = masking.masking_kernels(theory.pose(CONSTANT, 3))
    s, q = np.cov(CONSTANT, rowvar=False, bias=True), masking.RATE
    inverse = scipy.linalg.pinvh((1 - q) ** 2 * s + q * (1 - q) * np.diag(np.diag(s)))
    leading = scipy.linalg.eigh(s @ inverse @ s)[1][:, -3:]
    expected = (1 - q) * inverse @ s @ leading @ leading.T
    np.testing.assert_allclose(kernels.encoder @ kernels.decoder, expected, atol=1e-10)
    assert not kernels.encoder[5].any()


def test_masks_on_equal_variances_give_the_gains_of_the_formula():
    problem = theory.pose(R / R.std(axis=0), 3)
    kernels = masking.masking_kernels(problem)
    kept, q = problem.pca.eigenvalues[:3], masking.RATE
    rows = problem.pca.components[:3]
    gains = (1 - q) * kept / ((1 - q) ** 2 * kept + q * (1 - q))
    expected = (rows.T * gains) @ rows
    np.testing.assert_allclose(kernels.encoder @ kernels.decoder, expected, atol=1e-12)


def test_equal_variances_are_sufficient_and_not_necessary():
    factor = np.diag([4.0, 3.0, 2.0, 1.0])
    rows = masking.reduced_rank_regression(masking.masking_regression(factor), 2).decoder
    np.testing.assert_allclose(np.abs(rows[:, 2:]), 0, atol=1e-12)


def test_the_objective_on_the_users_data_is_that_of_the_regression_within_the_bound():
    kernels = gaussian.damped_kernels(PROBLEM, VARIANCE)
    generator = np.random.default_rng(3)
    noise = generator.normal(scale=np.sqrt(VARIANCE), size=(4000, *R.shape))
    drawn = np.mean(np.sum(((R + noise) @ kernels.encoder @ kernels.decoder - R) ** 2, -1), -1)
    loss, _ = gaussian.expected_loss(gaussian.gaussian_regression(PROBLEM, VARIANCE), kernels)
    assert abs(drawn.mean() - loss) < 5 * drawn.std() / np.sqrt(4000)


CASES = {
    "small": (X, 3, ["holds"] * 8),
    "digits": (DIGITS, 10, ["holds"] * 8),
    "digits, small and offset": (DATA["digits, small unit and offset"], 10, ["holds"] * 8),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds"] * 8),
    "constant feature": (CONSTANT, 3, ["holds"] * 8),
    "rank < k": (
        DATA["rank 2"],
        3,
        ["holds", "holds", "holds", "not identifiable", *["holds"] * 4],
    ),
    "condition 1e12": (
        DATA["condition 1e12"],
        5,
        ["not identifiable", "not identifiable", "holds", "not identifiable", *["holds"] * 4],
    ),
    "condition 1e12, large loss": (DATA["condition 1e12"], 1, ["holds"] * 8),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


SLOW = {"digits": pytest.mark.slow}
SAMPLED = ("small", "digits", "k = n", "one example", "constant data")
"""Data on which noise is sampled, too; test_verdicts.py samples it on the degenerate data."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = answers_of(x, code, THEOREMS if name in SAMPLED else THEOREMS[:2])
    assert verdicts(answers) == expected[: len(answers)], "\n".join(map(str, answers))
    for answer in answers[:4]:
        if answer.verdict == "holds":
            assert answer.residual <= answer.tolerance < answer.control / 1000
        else:
            assert answer.residual is None


@pytest.mark.parametrize(
    ("eigenvalues", "code"),
    [
        ([6.0, 4.0, 2.0, 1.0, 0.5, 0.25], 3),
        ([5.0, 4, 3, 3, 2, 1], 3),
        (np.geomspace(1, 1e-12, 6), 3),
        (np.geomspace(1, 1e-8, 6), 4),
    ],
    ids=["small", "repeated at k", "condition 1e12", "condition 1e8"],
)
def test_the_subspace_at_equal_variances_has_a_margin_on_every_arrangement(eigenvalues, code):
    """Rounding differs for every order of features; no residual is close to the bound."""
    ratios = []
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(6)
        x = with_spectrum(eigenvalues, seed=seed)[:, order]
        _, subspace = masking.masking_denoising(theory.pose(x, code))
        assert subspace.verdict == "holds", str(subspace)
        ratios.append(subspace.residual / subspace.tolerance)
    assert max(ratios) < 0.2


def test_equal_variances_with_equal_eigenvalues_have_no_subspace():
    x = DATA["all λ equal"]
    _, subspace = masking.masking_denoising(theory.pose(x, 3))
    assert subspace.verdict == "not identifiable"
    assert "gap" in subspace.reason


def false_analysis(change):
    return PROBLEM._replace(pca=change(PROBLEM.pca))


def test_wrong_eigenvalues_or_components_fail():
    divided = false_analysis(lambda a: a._replace(eigenvalues=a.eigenvalues * 40 / 39))
    assert verdicts(gaussian.gaussian_denoising(divided))[0] == "fails"
    shifted = false_analysis(lambda a: a._replace(components=np.roll(a.components, 1, axis=0)))
    assert verdicts(gaussian.gaussian_denoising(shifted)) == ["fails", "fails"]


def test_a_noise_variance_divided_by_the_number_of_examples_fails(monkeypatch):
    """Noise of variance s² on x is s²/m on each of the m rows of R."""
    right = gaussian.gaussian_loss
    monkeypatch.setattr(gaussian, "gaussian_loss", lambda p, v: right(p, v / len(p.x)))
    assert verdicts(gaussian.gaussian_denoising(PROBLEM)) == ["fails", "fails"]


def test_a_regression_that_is_not_the_best_fails(monkeypatch):
    right = masking.reduced_rank_regression

    def wrong(case, code):
        encoder, decoder = right(case, code)
        return gaussian.Kernels(encoder * (1 + 1e-5), decoder)

    monkeypatch.setattr(masking, "reduced_rank_regression", wrong)
    assert verdicts(masking.masking_denoising(PROBLEM)) == ["fails", "fails"]


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_sampled_noise_of_another_strength_fails(factor, monkeypatch):
    right = monte_carlo.expectation

    def wrong(rows, kernels, noise):
        return right(rows, kernels, noise._replace(added=factor * noise.added))

    monkeypatch.setattr(monte_carlo, "expectation", wrong)
    answers = monte_carlo.sampled_denoising(theory.pose(DIGITS, 10))
    assert verdicts(answers) == ["fails", "fails", "holds", "holds"]


def test_another_key_draws_other_noise():
    once, other = (
        monte_carlo.sampled_denoising(PROBLEM._replace(key=jax.random.key(k))) for k in (1, 2)
    )
    assert verdicts(once) == verdicts(other) == ["holds"] * 4
    assert once[0].residual != other[0].residual


def test_the_unit_of_measurement_changes_no_number():
    assert_no_number_changes(monte_carlo.sampled_denoising, X, 3)


def test_the_control_of_equal_variances_doubles_the_feature_that_weighs_most():
    """It is the angle between the leading eigenvectors of S M⁻¹ S and of S, by SciPy."""
    unit = (X - X.mean(axis=0)) / X.std(axis=0)
    heaviest = np.abs(np.linalg.eigh(unit.T @ unit)[1][:, -1]).argmax()
    assert heaviest != 0
    unit[:, heaviest] *= 2
    s = unit.T @ unit / len(unit)
    m = 0.75**2 * s + 0.25 * 0.75 * np.diag(np.diag(s))
    turned, principal = (
        np.linalg.eigh(matrix)[1][:, -3:] for matrix in (s @ np.linalg.solve(m, s), s)
    )
    control = masking.masking_denoising(PROBLEM)[1].control
    assert control == pytest.approx(
        np.sin(scipy.linalg.subspace_angles(turned, principal).max()), rel=1e-6
    )


def test_the_control_of_masks_is_the_loss_of_pcas_map_over_the_rate_that_is_kept():
    centred = X - X.mean(axis=0)
    s = centred.T @ centred / len(X)
    m = 0.75**2 * s + 0.25 * 0.75 * np.diag(np.diag(s))
    rows = theory.pca(X).components[:3]
    forgetful = rows.T @ rows / 0.75
    loss = np.trace(s - 2 * 0.75 * s @ forgetful + forgetful @ m @ forgetful)
    explained = np.linalg.eigvalsh(0.75**2 * s @ np.linalg.solve(m, s))[-3:].sum()
    least = np.trace(s) - explained
    control = masking.masking_denoising(PROBLEM)[0].control
    assert control == pytest.approx((loss - least) / least, rel=1e-6)
