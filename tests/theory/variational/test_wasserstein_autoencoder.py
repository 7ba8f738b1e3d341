"""Linear Wasserstein autoencoders against SciPy's matrix square root; other encoders are worse."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from aejax import theory
from aejax.theory.checking.tolerances import unit_factor
from aejax.theory.variational import wasserstein_autoencoder
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.verdict_checks import check_verdicts, verdicts

PROBLEM = theory.pose(X, 3)
S = np.cov(X, rowvar=False, bias=True) / np.var(X, axis=0).sum()
HOLDS, NA, NO = "holds", "not applicable", "not identifiable"


def loss(encoder, decoder):
    rest = np.eye(6) - encoder @ decoder
    return np.trace(rest.T @ S @ rest)


def test_the_distance_is_that_of_scipys_square_roots():
    decoder = np.random.default_rng(0).normal(size=(3, 6))
    root = scipy.linalg.sqrtm(S)
    inner = np.real(scipy.linalg.sqrtm(root @ decoder.T @ decoder @ root))
    expected = 1 + np.sum(decoder**2) - 2 * np.trace(inner)
    found = wasserstein_autoencoder.wasserstein_distance(unit_factor(PROBLEM), decoder)
    assert found == pytest.approx(expected, rel=1e-6)


def test_other_encoders_have_a_larger_loss():
    decoder = wasserstein_autoencoder.random_decoder(PROBLEM)
    encoder, _ = wasserstein_autoencoder.transport_kernels(unit_factor(PROBLEM), decoder)
    np.testing.assert_allclose(encoder.T @ S @ encoder, np.eye(3), atol=1e-12)
    least = loss(encoder, decoder)
    distance = wasserstein_autoencoder.wasserstein_distance(unit_factor(PROBLEM), decoder)
    assert least == pytest.approx(distance, rel=1e-12)
    for seed in range(5):
        rotation = scipy.stats.ortho_group.rvs(3, random_state=seed)
        assert loss(encoder @ rotation, decoder) > least
        other = wasserstein_autoencoder.random_decoder(PROBLEM) * (1 + seed)
        distance = wasserstein_autoencoder.wasserstein_distance(unit_factor(PROBLEM), other)
        assert distance > np.linalg.eigvalsh(S)[:3].sum()


CASES = {
    "regular": (X, 3, [HOLDS] * 2),
    "digits": (DIGITS, 10, [HOLDS] * 2),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [HOLDS] * 2),
    "all equal": (DATA["all λ equal"], 3, [HOLDS] * 2),
    "rank < k": (DATA["rank 2"], 3, [NA] * 2),
    "rank = k": (DATA["rank 3"], 3, [HOLDS] * 2),
    "condition 1e12": (DATA["condition 1e12"], 3, [HOLDS] * 2),
    "k = n": (X, 6, [NA] * 2),
    "one example": (DATA["one example"], 3, [NA] * 2),
}
SLOW = {"digits": pytest.mark.slow}


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.wasserstein_autoencoder(theory.pose(x, code))
    check_verdicts(answers, expected)


def test_an_encoder_that_whitens_otherwise_fails(monkeypatch):
    right = wasserstein_autoencoder.transport_kernels

    def rotated(factor, decoder):
        kernels = right(factor, decoder)
        return kernels._replace(encoder=kernels.encoder[:, ::-1])

    monkeypatch.setattr(wasserstein_autoencoder, "transport_kernels", rotated)
    assert verdicts(theory.wasserstein_autoencoder(PROBLEM)) == ["fails", "fails"]
