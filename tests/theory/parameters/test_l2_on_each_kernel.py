import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn.linear_model import Ridge

from aejax import theory
from aejax.theory.parameters.l2_on_each_kernel import vanishing_decay
from aejax.theory.parameters.l2_on_the_product import ridge_least_squares
from aejax.theory.solvers import penalised
from aejax.theory.solvers.lbfgs import minimise
from aejax.theory.solvers.penalised import (
    kernels,
    least_sum_loss,
    product_gains,
    sum_gains,
    train_penalised,
)
from tests.theory.degenerate_data import DATA, DIGITS, EIGENVALUES, X
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import verdicts

HOLDS, NO = "holds", "not identifiable"


@pytest.fixture(scope="module")
def certificates():
    problem = theory.pose(DIGITS, 10)
    return theory.sum_regularisation(problem) + theory.product_regularisation(problem)


def test_they_hold_on_the_digits_and_their_controls_are_rejected(certificates):
    assert verdicts(certificates) == [HOLDS] * 6
    for certificate in certificates:
        assert certificate.residual <= certificate.tolerance < 1e-8
        assert certificate.control > 1e6 * certificate.tolerance


def test_the_controls_have_the_errors_of_their_false_statements(certificates):
    loss, _, shrunk, _, gains, _ = (certificate.control for certificate in certificates)
    eigenvalues = theory.pca(DIGITS).eigenvalues
    decay = eigenvalues[9] / 2
    minimum = least_sum_loss(eigenvalues, 10, decay)
    assert loss * minimum == pytest.approx(np.sum(decay**2 / eigenvalues[:10]), rel=1e-9)
    furthest = 1 / (1 + 1 / 2) - (1 - 1 / 2)  # at λ_k = 2μ
    assert shrunk == pytest.approx(furthest, rel=1e-6)
    assert gains == pytest.approx(furthest, rel=1e-6)


def sum_objective(flat, factor, decay, code):
    encoder, decoder = flat.reshape(2, -1, code)
    error = factor - factor @ encoder @ decoder.T
    return np.sum(error**2) + decay * np.sum(flat**2)


@pytest.mark.parametrize("decay", [0.5, 3.0])
def test_scipy_finds_the_same_minimum_and_singular_values(decay):
    """Another optimiser from another random start, on an objective in NumPy."""
    factor, start = theory.moments(X).factor, np.random.default_rng(0).normal(size=36)
    found = scipy.optimize.minimize(
        sum_objective, start, (factor, decay, 3), method="BFGS", tol=1e-8
    )
    assert found.fun == pytest.approx(least_sum_loss(EIGENVALUES, 3, decay), rel=1e-9)
    encoder, decoder = found.x.reshape(2, 6, 3)
    np.testing.assert_allclose(encoder, decoder, atol=1e-5)
    squares = np.linalg.svd(encoder, compute_uv=False) ** 2
    np.testing.assert_allclose(squares, np.maximum(0, 1 - decay / EIGENVALUES[:3]), atol=1e-5)


def test_the_minimum_is_the_formula_of_the_literature_below_lambda_k():
    decay = 0.7
    formula = EIGENVALUES[3:].sum() + np.sum(2 * decay - decay**2 / EIGENVALUES[:3])
    assert least_sum_loss(EIGENVALUES, 3, decay) == pytest.approx(formula, rel=1e-14)
    assert least_sum_loss(EIGENVALUES, 3, 7.0) == EIGENVALUES.sum()
    assert least_sum_loss(np.array([4.0, 0.0, 0.0]), 2, 1.0) == pytest.approx(2 - 1 / 4)


def test_each_gain_minimises_its_mode_by_scipy():
    for eigenvalue in (0.0, 0.5, 1.0, 3.0):
        for gains, penalty in ((sum_gains, lambda s: 2 * s), (product_gains, np.square)):

            def mode(s, eigenvalue=eigenvalue, penalty=penalty):
                return eigenvalue * (1 - s) ** 2 + 1.0 * penalty(s)

            found = scipy.optimize.minimize_scalar(mode, bounds=(0, 1), method="bounded").x
            assert gains(np.array([eigenvalue]), 1.0)[0] == pytest.approx(found, abs=1e-5)


def test_at_full_rank_the_product_loss_is_scikit_learns_ridge():
    """If k = n, the gains are those of a ridge regression of x on itself."""
    centred, decay = X - X.mean(axis=0), 0.7
    ridge = Ridge(alpha=decay * len(X), fit_intercept=False).fit(centred, centred)
    analysis = theory.pca(X)
    gains = product_gains(analysis.eigenvalues, decay)
    expected = (analysis.components.T * gains) @ analysis.components
    np.testing.assert_allclose(ridge.coef_, expected, atol=1e-10)


def test_the_training_objective_is_the_formula_in_numpy():
    problem, generator = theory.pose(X, 3), np.random.default_rng(4)
    encoder, decoder = generator.normal(size=(6, 3)), generator.normal(size=(3, 6))
    rows = np.sqrt(6) * problem.moments.factor
    with jax.enable_x64(True):
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(encoder)}},
            "decoder": {"layer_0": {"kernel": jnp.asarray(decoder)}},
        }
        data = (jnp.asarray(rows), jnp.asarray(0.3), jnp.asarray(0.2), problem.key)
        loss = float(penalised._penalised_loss(6, 3)(params, data))
    centred = X - X.mean(axis=0)
    expected = np.sum((centred - centred @ encoder @ decoder) ** 2) / len(X)
    expected += 0.3 * (np.sum(encoder**2) + np.sum(decoder**2))
    expected += 0.2 * np.sum((encoder @ decoder) ** 2)
    assert loss == pytest.approx(expected, rel=1e-12)


def test_kernels_are_transposes_at_saddles_too_and_not_without_penalty():
    """A critical point without the first component, with an arbitrary rotation of the code."""
    problem = theory.pose(X, 3)
    rows = problem.pca.components[[1, 3]]
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0][:2]
    kernel = (rows.T * np.sqrt(sum_gains(EIGENVALUES[[1, 3]], 0.4))) @ turn
    with jax.enable_x64(True):
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(kernel)}},
            "decoder": {"layer_0": {"kernel": jnp.asarray(kernel.T)}},
        }
        rows = jnp.asarray(np.sqrt(6) * problem.moments.factor)
        for decay, least in ((0.4, 0.0), (0.0, 0.1)):
            data = (rows, jnp.asarray(decay), jnp.asarray(0.0), problem.key)
            grad = jax.grad(penalised._penalised_loss(6, 3))(params, data)
            norm = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(grad))
            assert least <= norm
            assert norm < 1e-12 or least > 0


def test_mu_above_lambda_k_is_in_the_widest_gap_or_above_all_eigenvalues():
    assert vanishing_decay(theory.pose(X, 3)) == pytest.approx(np.sqrt(8.0))
    assert vanishing_decay(theory.pose(X, 1)) == pytest.approx(12.0)
    isotropic = with_spectrum([3.0, 3.0, 3.0, 1.0])
    assert vanishing_decay(theory.pose(isotropic, 3)) == pytest.approx(6.0)
    assert verdicts(theory.sum_regularisation(theory.pose(isotropic, 3))) == [HOLDS] * 4


def scaled(analysis, factor):
    return analysis._replace(eigenvalues=analysis.eigenvalues * factor)


FALSE_GAINS = {
    "half of μ": lambda eigenvalues, decay: sum_gains(eigenvalues, decay / 2),
    "1 − μ/σ": lambda eigenvalues, decay: sum_gains(np.sqrt(eigenvalues), decay),
    "not squared": lambda eigenvalues, decay: np.sqrt(sum_gains(eigenvalues, decay)),
    "below zero": lambda eigenvalues, decay: 1 - decay / eigenvalues,
    "off by 1e-9": lambda eigenvalues, decay: sum_gains(eigenvalues, decay) + 1e-9,
}


@pytest.mark.parametrize(
    ("false", "expected"),
    [
        ("half of μ", [HOLDS, HOLDS, "fails", "fails"]),
        ("1 − μ/σ", [HOLDS, HOLDS, "fails", "fails"]),
        ("not squared", [HOLDS, HOLDS, "fails", "fails"]),
        ("below zero", [HOLDS, HOLDS, HOLDS, "fails"]),
        ("off by 1e-9", [HOLDS, HOLDS, "fails", "fails"]),
    ],
)
def test_a_wrong_formula_of_the_gains_fails(monkeypatch, false, expected):
    monkeypatch.setattr("aejax.theory.parameters.l2_on_each_kernel.sum_gains", FALSE_GAINS[false])
    assert verdicts(theory.sum_regularisation(theory.pose(X, 3))) == expected


def test_a_wrong_formula_of_the_loss_or_of_the_product_fails(monkeypatch):
    problem = theory.pose(X, 3)
    monkeypatch.setattr(
        "aejax.theory.parameters.l2_on_each_kernel.least_sum_loss",
        lambda *args: least_sum_loss(*args) * (1 + 1e-10),
    )
    assert verdicts(theory.sum_regularisation(problem)) == ["fails", HOLDS, HOLDS, HOLDS]
    monkeypatch.setattr(
        "aejax.theory.parameters.l2_on_the_product.product_gains",
        lambda lam, decay: lam / (lam + 2 * decay),
    )
    assert verdicts(theory.product_regularisation(problem)) == ["fails", HOLDS]


def test_a_false_analysis_fails():
    problem = theory.pose(X, 3)
    shifted = problem.pca._replace(components=problem.pca.components[[0, 1, 3, 2, 4, 5]])
    assert verdicts(theory.product_regularisation(problem._replace(pca=shifted)))[0] == "fails"
    divided = problem.pca._replace(eigenvalues=problem.pca.eigenvalues * 40 / 39)
    answers = theory.sum_regularisation(problem._replace(pca=divided))
    assert verdicts(answers)[0] == verdicts(answers)[2] == verdicts(answers)[3] == "fails"


def test_the_product_loss_trains_to_kernels_that_are_not_transposes():
    """The change of code remains as initialised, as the objective does not depend on it."""
    solution = train_penalised(theory.pose(X, 3), product=1.0)
    encoder, decoder = kernels(solution)
    assert solution.converged
    assert np.linalg.norm(encoder - decoder.T) > 0.1
    expected = np.sort(EIGENVALUES[:3] / (EIGENVALUES[:3] + 1))[::-1]
    found = np.linalg.svd(encoder @ decoder, compute_uv=False)
    np.testing.assert_allclose(found[:3], expected, atol=1e-10)


def test_a_solver_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(loss, start, data, **_):
        return minimise(loss, start, data, max_steps=5)

    def still_moving(key, data, code):
        return theory.alternating_least_squares(key, data, code, max_steps=2)

    monkeypatch.setattr("aejax.theory.solvers.penalised.minimise", stopped)
    monkeypatch.setattr(
        "aejax.theory.parameters.l2_on_the_product.alternating_least_squares", still_moving
    )
    problem = theory.pose(X, 3)
    answers = theory.sum_regularisation(problem) + theory.product_regularisation(problem)[:1]
    assert verdicts(answers) == [NO] * 5
    assert all(
        "training had not converged after 5 steps" in answer.reason for answer in answers[:4]
    )
    assert "ridge regression had not converged after 2 steps" in answers[4].reason


def test_ridge_regressions_and_gradient_training_have_the_same_limit():
    problem = theory.pose(X, 3)
    _, found = ridge_least_squares(problem, 1.0)
    encoder, decoder = kernels(train_penalised(problem, product=1.0))
    np.testing.assert_allclose(found, encoder @ decoder, atol=1e-10)


def test_the_curvatures_are_those_of_the_hessian():
    """Half of the smallest eigenvalue, except those of rotations, is close to the bound."""
    problem, decay = theory.pose(X, 3), 1.0
    root = problem.pca.components[:3].T * np.sqrt(sum_gains(EIGENVALUES[:3], decay))
    with jax.enable_x64(True):
        flat = jnp.concatenate([jnp.asarray(root).ravel(), jnp.asarray(root.T).ravel()])
        total = float(EIGENVALUES.sum())
        rows = jnp.asarray(np.sqrt(6 / total) * problem.moments.factor)
        data = (rows, jnp.asarray(decay / total), jnp.asarray(0.0), problem.key)

        def loss(flat):
            layers = flat[:18].reshape(6, 3), flat[18:].reshape(3, 6)
            encoder, decoder = ({"layer_0": {"kernel": kernel}} for kernel in layers)
            return penalised._penalised_loss(6, 3)({"encoder": encoder, "decoder": decoder}, data)

        eigenvalues = np.linalg.eigvalsh(np.asarray(jax.jit(jax.hessian(loss))(flat)) / 2)
    np.testing.assert_allclose(eigenvalues[:3], 0, atol=1e-12)  # rotations of three units
    bound = min(penalised.curvatures(problem, decay))
    assert bound <= eigenvalues[3] * (1 + 1e-9)
    assert eigenvalues[3] < 3 * bound


def test_nearly_equal_eigenvalues_do_not_affect_loss_and_gains():
    for gap in (1e-4, 1e-8, 1e-11):
        x = with_spectrum([5.0, 4.0, 3.0, 3.0 * (1 - gap), 2.0, 1.0])
        assert "fails" not in verdicts(theory.sum_regularisation(theory.pose(x, 3)))


NOT_APPLICABLE = ["not applicable"] * 6
CASES = {
    "repeated at k": (
        DATA["λ_3 = λ_4"],
        3,
        [HOLDS] * 4 + [NO, HOLDS],
    ),
    "rank < k": (DATA["rank 2"], 3, [HOLDS] * 4 + [NO, NO]),
    "rank = k": (DATA["rank 3"], 3, [HOLDS] * 6),
    "far": (DATA["regular, huge offset"], 3, [HOLDS] * 6),
    "constant feature": (DATA["last feature constant"], 3, [HOLDS] * 6),
    "condition 1e24": (
        DATA["condition 1e24, 200 examples"],
        3,
        [NO, NO, NO, HOLDS, NO, HOLDS],  # J itself is 4e-10 of the variance
    ),
    "k = n": (X, 6, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    problem = theory.pose(x, code)
    answers = theory.sum_regularisation(problem) + theory.product_regularisation(problem)
    assert verdicts(answers) == expected
