import numpy as np
import pytest
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.parameters import components
from aejax.theory.solvers.linear_solvers import alternating_least_squares
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.spectra import with_spectrum


def test_they_hold_on_the_digits_and_their_controls_are_rejected():
    for certificate in components.principal_components(theory.pose(DIGITS, 10)):
        assert certificate.verdict == "holds", str(certificate)
        assert certificate.residual <= certificate.tolerance <= 1e-6
        assert certificate.control > 0.5


def test_components_of_reconstructions_are_scikit_learns():
    reduced = PCA(3, svd_solver="full").fit(X)
    x_hat = reduced.inverse_transform(reduced.transform(X))
    found = components.reconstructed_components(x_hat, 3)
    np.testing.assert_allclose(np.abs(np.sum(found * reduced.components_, axis=1)), 1, atol=1e-12)


def test_a_decoders_singular_vectors_are_components_only_where_its_code_is_rotated():
    analysis = theory.pca(X)
    own = theory.pca(X).components[:3]
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    ordered = rotation @ np.diag([3.0, 2.0, 1.0]) @ own
    mixed = rng.normal(size=(3, 3)) @ own
    sines = [
        components.component_sines(components.decoded_components(decoder), analysis)
        for decoder in (ordered, mixed)
    ]
    assert sines[0].max() < 1e-12
    assert sines[1].max() > 0.1


def test_sines_and_cosines_are_of_one_angle_and_detect_swapped_components():
    analysis, angle = theory.pca(X), 1e-9
    own = analysis.components[:2]
    tilted = np.cos(angle) * own + np.sin(angle) * analysis.components[2:4]
    np.testing.assert_allclose(components.component_sines(-tilted, analysis), angle, rtol=1e-6)
    np.testing.assert_allclose(components.component_cosines(tilted, analysis), np.cos(angle))
    np.testing.assert_allclose(components.component_sines(own[::-1], analysis), 1)


@pytest.mark.parametrize(
    ("x", "code", "verdict"),
    [
        (with_spectrum([5.0, 3, 3, 1, 0.5]), 3, "not identifiable"),  # repeated within the code
        (with_spectrum([5.0, 4, 3, 3, 1]), 3, "not identifiable"),  # repeated at k
        (DATA["rank 2"], 3, "not identifiable"),  # rank < k
        (DATA["five examples"], 3, "holds"),  # m < n
        (np.c_[X, np.full(len(X), 0.1)], 3, "holds"),  # a constant feature
        (DATA["all λ equal"], 3, "not identifiable"),  # no gap
        (X, 1, "not applicable"),
        (X, 6, "not applicable"),
        (DATA["one example"], 3, "not applicable"),
    ],
)
def test_the_verdicts_on_degenerate_data_are_right(x, code, verdict):
    answers = components.principal_components(theory.pose(x, code))
    assert [answer.verdict for answer in answers] == [verdict] * 2, "\n".join(map(str, answers))


def test_at_condition_1e12_only_the_decoders_components_are_not_identifiable():
    """σ_5 − σ_6 = 1.5e-5 is far above rounding; D² differs by 3e-8, beyond what training sees."""
    shown, decoder = components.principal_components(theory.pose(DATA["condition 1e12"], 5))
    assert shown.verdict == "holds"
    assert decoder.verdict == "not identifiable"
    assert "exceeds the cap" in decoder.reason


def test_least_squares_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(key, data, code):
        return alternating_least_squares(key, data, code, max_steps=2)

    monkeypatch.setattr(components, "alternating_least_squares", stopped)
    shown, _ = components.principal_components(theory.pose(X, 3))
    assert shown.verdict == "not identifiable"
    assert "least squares had not converged after 2 steps" in shown.reason
