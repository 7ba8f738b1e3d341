"""The course's theorem against scikit-learn, SciPy and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from scipy.linalg import subspace_angles
from sklearn.covariance import empirical_covariance
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.course import conditions
from aejax.theory.course.conditions import encoder_gradient_norm, model_and_loss
from aejax.theory.solvers.linear_solvers import alternating_least_squares
from tests.theory.degenerate_data import CENTRED, DATA, DIGITS, X
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import verdicts

HOLDS, NOT_IDENTIFIABLE, NOT_APPLICABLE = "holds", "not identifiable", "not applicable"
ASSUMPTIONS = ("encoder", "decoder", "centring", "loss")


@pytest.fixture(scope="module")
def certificates():
    return theory.course_conditions(theory.pose(DIGITS, 10))


def test_they_hold_on_the_digits_and_their_controls_are_rejected(certificates):
    assert verdicts(certificates) == [HOLDS] * 6
    for certificate in certificates:
        assert certificate.residual <= certificate.tolerance < 1e-10
        assert certificate.control > 1e6 * certificate.tolerance
    assert certificates[0].control == pytest.approx(1 / 1796, rel=1e-6)  # divisor m − 1


def test_the_covariance_equals_scikit_learns():
    gram = theory.moments(X).factor.T @ theory.moments(X).factor
    np.testing.assert_allclose(gram, empirical_covariance(X), atol=1e-13)


def test_the_code_spans_scikit_learns_scores_but_differs_from_them():
    solution = alternating_least_squares(jax.random.key(1), theory.moments(X), 3)
    with jax.enable_x64(True):
        model, _ = model_and_loss(6, 3, None)
        code = np.asarray(model.encode(solution.params, jnp.asarray(X)))
        change = np.random.default_rng(0).normal(size=(3, 3))
    scores = PCA(3, svd_solver="full").fit_transform(X)
    assert subspace_angles(code @ change, scores).max() < 1e-7
    left = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0][:, :3]
    assert subspace_angles(code, left).max() < 1e-7
    assert np.abs(code @ change - scores).max() > 0.1


FORMULAS = {
    None: lambda x, w, v, c: np.mean(np.sum((x @ w @ v + c - x) ** 2, axis=1)),
    "encoder": lambda x, w, v, c: np.mean(np.sum((np.tanh(x @ w) @ v + c - x) ** 2, axis=1)),
    "decoder": lambda x, w, v, c: np.mean(np.sum((np.arcsinh(x @ w @ v + c) - x) ** 2, axis=1)),
    "centring": lambda x, w, v, c: np.mean(np.sum((x @ w @ v - x) ** 2, axis=1)),
    "loss": lambda x, w, v, c: np.mean(np.sum((x @ w @ v + c - x) ** 4, axis=1)),
}


def rows_of(x, violated):
    centre = 0 if violated == "centring" else x.mean(axis=0)
    return (x - centre) / np.sqrt(np.mean(x.var(axis=0)))


def best_decoder(rows, kernel, formula, starts=3):
    """Best decoder found by SciPy from PCA's decoder and from random ones."""
    generator = np.random.default_rng(0)

    def objective(flat):
        return formula(rows, kernel, flat[:18].reshape(3, 6), flat[18:])

    start = np.r_[kernel.T.ravel(), np.zeros(6)]
    found = [
        scipy.optimize.minimize(objective, start + i * generator.normal(size=24), tol=1e-10)
        for i in range(starts)
    ]
    return min(found, key=lambda each: each.fun)


@pytest.mark.parametrize("violated", [None, *ASSUMPTIONS])
def test_the_gradient_equals_finite_differences_at_scipys_optimal_decoder(violated):
    rows, formula = rows_of(X, violated), FORMULAS[violated]
    kernel = theory.pca(X).components[:3].T
    best = best_decoder(rows, kernel, formula, starts=1).x
    gradient = scipy.optimize.approx_fprime(
        kernel.ravel(),
        lambda flat: formula(rows, flat.reshape(6, 3), best[:18].reshape(3, 6), best[18:]),
        1e-6,
    )
    ours = encoder_gradient_norm(theory.pose(X, 3), violated)
    expected = np.linalg.norm(gradient) / 6
    if violated is None:
        assert ours < 1e-14
        assert expected < 1e-4
    elif violated == "centring":  # no biases; c is free for the finite differences only
        assert ours == pytest.approx(expected, rel=1e-3)
    else:  # our norm includes the gradient of b
        assert expected * 0.999 - 1e-5 <= ours <= 2 * expected


def test_the_losses_that_break_a_condition_reach_every_target():
    for loss in (conditions.arcsinh_loss, conditions.quartic_loss):
        assert loss.support == (-np.inf, np.inf)


@pytest.mark.parametrize("violated", ASSUMPTIONS)
def test_scipy_finds_a_better_encoder_than_pca_if_an_assumption_is_violated(violated):
    """Joint training from PCA's encoder and its optimal decoder decreases the loss."""
    rows, formula = rows_of(X, violated), FORMULAS[violated]
    kernel = theory.pca(X).components[:3].T
    best = best_decoder(rows, kernel, formula)

    def joint(flat):
        parts = flat[:18].reshape(6, 3), flat[18:36].reshape(3, 6), flat[36:]
        return formula(rows, *parts)

    better = scipy.optimize.minimize(joint, np.r_[kernel.ravel(), best.x], options={"maxiter": 50})
    assert better.fun < best.fun * (1 - 1e-3)


@pytest.mark.parametrize(
    ("false", "expected"),
    [
        (lambda a: a._replace(components=a.components[[0, 1, 3, 2, 4, 5]]), ["fails", HOLDS]),
        (lambda a: a._replace(components=a.components[[2, 0, 1, 3, 4, 5]]), [HOLDS, HOLDS]),
        (
            lambda a: a._replace(
                components=np.linalg.qr((a.components + 1e-6 * a.components[::-1]).T)[0].T
            ),
            ["fails", "fails"],
        ),
        (lambda a: a._replace(mean=a.mean + 1e-6), ["fails", "fails"]),
    ],
    ids=["another subspace", "another order", "rotated by 1e-6", "another mean"],
)
def test_a_false_analysis_fails(false, expected):
    """The gradient vanishes for all sets of eigenvectors; only the code identifies the leading."""
    problem = theory.pose(X, 3)
    answers = theory.course_conditions(problem._replace(pca=false(problem.pca)))
    assert verdicts(answers) == [HOLDS, expected[0], *[expected[1]] * 4]


def test_a_gram_matrix_with_another_divisor_fails():
    problem = theory.pose(X, 3)
    factor = problem.moments.factor * np.sqrt(40 / 39)
    false = problem._replace(moments=problem.moments._replace(factor=factor))
    assert theory.course_conditions(false)[0].verdict == "fails"


def test_unconverged_least_squares_is_not_identifiable(monkeypatch):
    monkeypatch.setattr(
        "aejax.theory.course.theorem.alternating_least_squares",
        lambda *args: alternating_least_squares(*args, max_steps=2),
    )
    answer = theory.course_conditions(theory.pose(X, 3))[1]
    assert answer.verdict == NOT_IDENTIFIABLE
    assert "least squares had not converged after 2 steps" in answer.reason


CASES = {
    "centred": (CENTRED, 3, [HOLDS] * 4 + [NOT_APPLICABLE, HOLDS]),
    "repeated at k": (
        DATA["λ_3 = λ_4"] + 1,
        3,
        [HOLDS, NOT_IDENTIFIABLE] + [HOLDS] * 4,
    ),
    "rank < k": (
        DATA["rank 2"] + 1,
        3,
        [HOLDS, NOT_IDENTIFIABLE] + [NOT_APPLICABLE] * 4,
    ),
    "rank = k": (
        DATA["rank 3"] + 1,
        3,
        [HOLDS] + [NOT_APPLICABLE] * 5,
    ),
    "constant feature": (DATA["last feature constant"], 3, [HOLDS] * 6),
    "k = n": (X, 6, [HOLDS] + [NOT_APPLICABLE] * 5),
    "one example": (DATA["one example"], 3, [NOT_APPLICABLE] * 6),
    "constant data": (DATA["constant"], 3, [NOT_APPLICABLE] * 6),
}


@pytest.mark.parametrize("name", CASES)
def test_verdicts_on_degenerate_data(name):
    x, code, expected = CASES[name]
    assert verdicts(theory.course_conditions(theory.pose(x, code))) == expected


def test_results_do_not_depend_on_the_unit():
    assert_no_number_changes(theory.course_conditions, X, 3)


def test_tolerances_follow_their_formulas():
    """4 ρ/σ_1, 3 ρ/(σ_k − σ_{k+1}) + 2 ρ'/σ_k and 8 ρ'/√Σλ, see `test_tolerances`."""
    epsilon, length = 2.0**-52, np.sqrt(13.75 + 55)
    rounding = epsilon * ((np.sqrt(240) + 50) * np.sqrt(6) + length)
    passing = rounding + epsilon * np.sqrt(6) * length
    code = 3 * rounding / (np.sqrt(2) - 1) + 2 * passing / np.sqrt(2)
    expected = [4 * rounding / np.sqrt(6), code, *[8 * passing / np.sqrt(13.75)] * 4]
    found = [answer.tolerance for answer in theory.course_conditions(theory.pose(X, 3))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
