import jax
import numpy as np
import pytest
from scipy.linalg import svd, svdvals
from sklearn.decomposition import PCA, TruncatedSVD

from aejax import linear, theory
from aejax.theory.parameters.biases import affine_least_squares, sigma_points, uncentred
from tests.theory.degenerate_data import CENTRED, DATA, DIGITS, MEAN, X
from tests.theory.spectra import with_spectrum

HOLDS = ["holds"] * 3


def verdicts(x, code=3):
    return [answer.verdict for answer in theory.free_biases(theory.pose(x, code))]


def reconstruction(x, params, code=3):
    model = linear(x.shape[1], code)
    with jax.enable_x64(True):
        return np.asarray(model.decode(params, model.encode(params, jax.numpy.asarray(x))))


@pytest.fixture(scope="module")
def certificates():
    return theory.free_biases(theory.pose(DIGITS, 10))


def test_they_hold_on_the_digits_and_their_controls_are_rejected(certificates):
    for certificate in certificates:
        assert certificate.verdict == "holds"
        assert certificate.residual <= certificate.tolerance < 1e-10
        assert certificate.control > 1e6 * certificate.tolerance


def test_the_control_of_the_uncentred_loss_is_the_loss_of_scikit_learns_pca(certificates):
    with_biases = len(DIGITS) / (len(DIGITS) - 1)
    centred = PCA(svd_solver="full").fit(DIGITS).explained_variance_[10:].sum() / with_biases
    raw = np.sum(svdvals(DIGITS)[10:] ** 2) / len(DIGITS)
    assert certificates[2].control == pytest.approx(raw / centred * (1 - centred / raw), rel=0.05)
    assert certificates[2].control == pytest.approx((raw - centred) / raw, rel=1e-6)


def test_affine_least_squares_converges_to_scikit_learns_pca():
    solution = affine_least_squares(theory.pose(X, 3))
    theirs = PCA(3, svd_solver="full").fit(X)
    expected = theirs.inverse_transform(theirs.transform(X))
    assert solution.converged
    np.testing.assert_allclose(reconstruction(X, solution.params), expected, atol=1e-12)


def test_affine_least_squares_starts_without_the_mean():
    """Its points have the mean of the data, and its initial bias is random."""
    problem = theory.pose(X, 3)
    points = sigma_points(problem.moments)
    np.testing.assert_allclose(points.mean(axis=0), X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        np.cov(points, rowvar=False, bias=True), np.cov(X, rowvar=False, bias=True), atol=1e-12
    )
    start = affine_least_squares(problem, max_steps=0)
    assert not start.converged
    assert np.abs(np.asarray(start.params["encoder"]["layer_0"]["bias"])).min() > 1e-2


def test_only_the_total_offset_is_unique():
    """Another key gives another bias b and another c, but the same b W_d + c."""
    offsets, biases = [], []
    for seed in (1, 2):
        problem = theory.pose(X, 3, key=jax.random.key(seed))
        encoder, decoder = (
            jax.tree.map(np.asarray, affine_least_squares(problem).params[side]["layer_0"])
            for side in ("encoder", "decoder")
        )
        offsets.append(encoder["bias"] @ decoder["kernel"] + decoder["bias"])
        biases.append(np.linalg.norm(encoder["bias"]))
    np.testing.assert_allclose(offsets[0], offsets[1], atol=1e-11)
    assert abs(biases[0] - biases[1]) > 1e-6


def test_the_uncentred_problem_is_the_svd_of_the_uncentred_data():
    raw = uncentred(theory.pose(X, 3))
    _, singular_values, rows = svd(X, full_matrices=False)
    np.testing.assert_allclose(raw.pca.eigenvalues, singular_values**2 / len(X), rtol=1e-12)
    cosines = np.abs(np.sum(raw.pca.components * rows, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-12)
    theirs = TruncatedSVD(3, algorithm="arpack").fit(X)
    ours = raw.pca.components[:3]
    projectors = ours.T @ ours, theirs.components_.T @ theirs.components_
    np.testing.assert_allclose(*projectors, atol=1e-10)


def test_biases_save_at_most_one_code_unit():
    for x in (X, DIGITS, DIGITS + 100):
        problem = theory.pose(x, 3)
        raw, centred = uncentred(problem).pca.eigenvalues, problem.pca.eigenvalues
        slack = 1e-12 * raw[0]
        assert (raw[: len(centred)] >= centred - slack).all()
        assert (raw[1 : len(centred)] <= centred[:-1] + slack).all()


@pytest.mark.parametrize(
    ("false", "expected"),
    [
        (lambda a: a._replace(mean=a.mean + 1e-6), ["fails", "holds", "holds"]),
        (lambda a: a._replace(mean=0 * a.mean), ["fails", "holds", "holds"]),
        (lambda a: a._replace(components=a.components[::-1]), ["fails", "holds", "holds"]),
    ],
    ids=["another mean", "no mean", "reversed components"],
)
def test_a_false_analysis_fails(false, expected):
    problem = theory.pose(X, 3)
    falsified = problem._replace(pca=false(problem.pca))
    assert [answer.verdict for answer in theory.free_biases(falsified)] == expected


def test_an_uncentred_analysis_with_a_wrong_mean_fails(monkeypatch):
    def halved(problem):
        raw = uncentred(problem)
        wrong = theory.pca(problem.x - problem.moments.mean / 2 + np.ones(6))
        return raw._replace(pca=wrong._replace(eigenvalues=wrong.eigenvalues * (1 + 1e-8)))

    monkeypatch.setattr("aejax.theory.parameters.biases.uncentred", halved)
    assert verdicts(X) == ["holds", "fails", "fails"]


def test_a_solver_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(problem):
        return affine_least_squares(problem, max_steps=2)

    monkeypatch.setattr("aejax.theory.parameters.biases.affine_least_squares", stopped)
    answer = theory.free_biases(theory.pose(X, 3))[0]
    assert answer.verdict == "not identifiable"
    assert "least squares had not converged after 2 steps" in answer.reason


NO = "not identifiable"
NOT_APPLICABLE = ["not applicable"] * 3
CASES = {
    "offset": (X, 3, HOLDS),
    "far": (CENTRED + 1e3, 3, HOLDS),
    "small": (DATA["regular, tiny unit"], 3, HOLDS),
    "large": (DATA["regular, huge unit"], 3, HOLDS),
    "steep and small": (  # a random bias of order one would be too large
        1e-3 * (with_spectrum(np.geomspace(1, 1e-6, 6), examples=200) + 1),
        3,
        HOLDS,
    ),
    "centred": (DATA["regular, zero mean"], 3, ["holds", "not applicable", "not applicable"]),
    "a mean that is hardly there": (DATA["regular, tiny mean"], 3, ["holds", NO, NO]),
    "repeated at k": (
        DATA["λ_3 = λ_4"] + MEAN,
        3,
        [NO, "holds", "holds"],  # the direction of the mean separates the equal eigenvalues
    ),
    "rank < k": (DATA["rank 2"] + 1, 4, [NO, NO, NO]),
    "rank k - 1, offset": (  # both losses are zero
        DATA["rank 2"] + 1,
        3,
        [NO, "holds", NO],
    ),
    "m < n": (DATA["four examples"] + 2, 2, HOLDS),
    "constant feature": (DATA["last feature constant"], 3, HOLDS),
    "condition 1e12": (DATA["condition 1e12, 200 examples"] + 1, 2, HOLDS),
    "condition 1e12, k = 5": (
        DATA["condition 1e12, 200 examples"] + 1,
        5,
        ["holds", "holds", NO],  # the loss is within the rounding of a row
    ),
    "condition 1e24": (
        DATA["condition 1e24, 200 examples"] + 1,
        5,
        [NO, NO, NO],
    ),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
    "zeros": (DATA["zeros"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    assert verdicts(x, code) == expected
