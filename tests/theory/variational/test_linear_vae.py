"""The linear variational autoencoder against NumPy and Monte Carlo; wrong formulas must fail."""

import jax
import numpy as np
import pytest

from aejax import posteriors, theory
from aejax.theory.variational import linear_evidence_bound, linear_vae
from aejax.theory.variational.linear_evidence_bound import LinearVAE
from tests.theory.degenerate_data import DATA, DIGITS, ONE_HOT, WINE, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
S = np.cov(X, rowvar=False, bias=True) / np.var(X, axis=0).sum()
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"


def random_vae(seed=0):
    generator = np.random.default_rng(seed)
    a, w = generator.normal(size=(6, 3)), generator.normal(size=(3, 6))
    return LinearVAE(a, generator.uniform(0.1, 2, 3), w)


def terms(vae, variance, weight):
    """J, distortion and rate in NumPy, from the second moments."""
    a, d, w = vae
    rest = np.eye(6) - a @ w
    distortion = np.trace(rest.T @ S @ rest) + d @ np.sum(w**2, axis=1)
    rate = 0.5 * (np.trace(a.T @ S @ a) + np.sum(d - 1 - np.log(d)))
    constant = 3 * np.log(2 * np.pi * variance)
    return constant + distortion / (2 * variance) + weight * rate, distortion, rate


def test_the_objective_is_the_one_of_the_second_moments():
    vae, rows = random_vae(), linear_vae.unit_rows(PROBLEM)
    found = linear_evidence_bound.evidence(vae, rows, variance=0.3, weight=2.0)
    np.testing.assert_allclose(found[:3], terms(vae, 0.3, 2.0), rtol=1e-13)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(rows.T @ rows / len(rows), S, atol=1e-14)


def test_the_sampler_has_the_noise_of_the_cubature():
    with jax.enable_x64(True):
        noise = jax.numpy.array([0.5, -2.0, 0.0])
        code = posteriors.Gaussian(jax.numpy.ones((4, 3)), jax.numpy.full((4, 3), np.log(4.0)))
        found = linear_evidence_bound.sampled_at(noise)(jax.random.key(3), code)
    np.testing.assert_allclose(found, np.tile(1 + 2 * np.asarray(noise), (4, 1)), rtol=1e-13)


@pytest.mark.parametrize("units", [1, 2, 5])
def test_the_cubature_has_the_first_two_moments_of_the_noise(units):
    points = linear_evidence_bound.simplex_cubature(units)
    assert points.shape == (units + 1, units)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(points.T @ points / len(points), np.eye(units), atol=1e-14)


def test_the_best_posterior_minimises_the_objective():
    decoder = random_vae(1).decoder
    best = linear_vae.best_posterior(decoder, 0.6)
    least = terms(best, 0.3, 2.0)[0]
    generator = np.random.default_rng(2)
    for scale in (1e-3, 1e-1):
        changed = best._replace(
            encoder=best.encoder + scale * generator.normal(size=(6, 3)),
            variances=best.variances * np.exp(scale * generator.normal(size=3)),
        )
        assert terms(changed, 0.3, 2.0)[0] > least
    covariance = decoder.T @ decoder + 0.3 * np.eye(6)
    exact = linear_vae.best_posterior(decoder, 0.3)
    likelihood = 0.5 * (
        np.linalg.slogdet(2 * np.pi * covariance)[1] + np.trace(np.linalg.solve(covariance, S))
    )
    gap = linear_vae.hadamard_gap(decoder, 0.3)
    assert gap > 0.1
    assert terms(exact, 0.3, 1.0)[0] == pytest.approx(likelihood + gap, rel=1e-12)


def test_weights_are_densities_of_scipy_form():
    vae, rows = random_vae(), linear_vae.unit_rows(PROBLEM)[:5]
    noise = np.random.default_rng(4).normal(size=(2, 3))
    found = linear_evidence_bound.log_weights(vae, rows, noise, variance=0.3)
    for sample, each in zip(found, noise, strict=True):
        z = rows @ vae.encoder + np.sqrt(vae.variances) * each
        error = np.sum((rows - z @ vae.decoder) ** 2, axis=1)
        joint = -3 * np.log(2 * np.pi * 0.3) - error / 0.6 - np.sum(z**2, axis=1) / 2
        density = -0.5 * (np.sum(each**2) + np.sum(np.log(vae.variances)))
        np.testing.assert_allclose(sample, joint - density, rtol=1e-12)


CASES = {
    "regular": (X, 3, [HOLDS] * 2),
    "digits": (DIGITS, 10, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 2),
    "all equal": (DATA["all λ equal"], 3, [HOLDS, NO]),
    "rank < k": (DATA["rank 2"], 3, [NA] * 2),
    "condition 1e12": (DATA["condition 1e12"], 3, [HOLDS] * 2),
    "condition 1e16": (DATA["condition 1e16, 200 examples"], 3, [NO] * 2),
    "constant feature": (DATA["regular, last feature constant"], 3, [HOLDS] * 2),
    "wine": (WINE, 3, [HOLDS] * 2),
    "one-hot": (ONE_HOT, 3, [HOLDS] * 2),
    "k = n": (X, 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
    "one unit": (X, 1, [HOLDS, NA]),
}
SLOW = dict.fromkeys(("digits", "one unit"), pytest.mark.slow)  # shapes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.linear_vae(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_another_posterior_or_gap_fails(monkeypatch):
    right = linear_vae.best_posterior

    def of_inverse(decoder, noise):
        moment = decoder @ decoder.T + noise * np.eye(len(decoder))
        return right(decoder, noise)._replace(variances=noise * np.diag(np.linalg.inv(moment)))

    with monkeypatch.context() as patch:  # the posterior's own variances, equal if C is diagonal
        patch.setattr(linear_vae, "best_posterior", of_inverse)
        assert verdicts(theory.linear_vae(PROBLEM)) == [HOLDS, "fails"]
    with monkeypatch.context() as patch:
        patch.setattr(linear_vae, "hadamard_gap", lambda decoder, noise: 0.0)
        assert verdicts(theory.linear_vae(PROBLEM)) == [HOLDS, "fails"]
    wrong = lambda decoder, noise: right(decoder, 1.0001 * noise)  # noqa: E731
    monkeypatch.setattr(linear_vae, "best_posterior", wrong)
    assert verdicts(theory.linear_vae(PROBLEM)) == ["fails", "fails"]
