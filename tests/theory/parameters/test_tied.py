import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.parameters.tied import tied_loss, train_tied
from aejax.theory.solvers.lbfgs import minimise
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import verdicts

HOLDS = ["holds"] * 2
NOT_IDENTIFIABLE = "not identifiable"


def reference_loss(flat, factor, code=3):
    kernel = flat.reshape(-1, code)
    return np.sum((factor - factor @ kernel @ kernel.T) ** 2)


def kernel_params(kernel):
    return {"encoder": {"layer_0": {"kernel": jnp.asarray(kernel)}}, "decoder": {"layer_0": {}}}


def gradient(kernel, factor):
    with jax.enable_x64(True):
        params = kernel_params(kernel)
        grad = jax.grad(tied_loss(*kernel.shape))(params, jnp.asarray(factor))
        return np.asarray(grad["encoder"]["layer_0"]["kernel"])


@pytest.fixture(scope="module")
def certificates():
    return theory.tied_weights(theory.pose(DIGITS, 10))


def test_the_theorems_hold_on_digits_and_the_controls_are_rejected(certificates):
    assert verdicts(certificates) == HOLDS
    for certificate in certificates:
        assert certificate.residual <= certificate.tolerance < 1e-9
        assert certificate.control > 1e6 * certificate.tolerance
    assert 3 < certificates[0].control < 15.1  # ‖GᵀG − I‖ for singular values of G from 2 to 4
    assert certificates[1].control == pytest.approx(1, rel=1e-6)


def test_training_converges_to_scikit_learns_subspace_with_orthonormal_directions():
    solution = train_tied(theory.pose(X, 3))
    kernel = np.asarray(solution.params["encoder"]["layer_0"]["kernel"])
    rows = PCA(3, svd_solver="full").fit(X).components_
    assert solution.converged
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(3), atol=1e-11)
    np.testing.assert_allclose(kernel @ kernel.T, rows.T @ rows, atol=1e-11)
    assert np.abs(kernel.T @ rows.T - np.eye(3)).max() > 0.1  # equal up to a rotation only


def test_scipy_converges_to_the_same_solution():
    factor = theory.moments(X).factor / np.sqrt(theory.moments(X).factor.size)
    start = np.random.default_rng(0).normal(size=18)
    found = scipy.optimize.minimize(reference_loss, start, (factor,), method="BFGS", tol=1e-9)
    kernel = found.x.reshape(6, 3)
    rows = PCA(3, svd_solver="full").fit(X).components_
    np.testing.assert_allclose(kernel @ kernel.T, rows.T @ rows, atol=1e-5)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(3), atol=1e-5)


def test_the_gradient_equals_the_formula_and_finite_differences():
    factor, kernel = theory.moments(X).factor, np.random.default_rng(1).normal(size=(6, 3))
    s = factor.T @ factor
    formula = -4 * s @ kernel + 2 * s @ kernel @ (kernel.T @ kernel)
    formula += 2 * kernel @ (kernel.T @ s @ kernel)
    np.testing.assert_allclose(gradient(kernel, factor), formula, rtol=1e-10)
    differences = scipy.optimize.approx_fprime(kernel.ravel(), reference_loss, 1e-7, factor)
    np.testing.assert_allclose(differences, formula.ravel(), rtol=1e-4, atol=1e-3)


def test_orthonormality_follows_from_the_gradient_within_the_bound_of_the_tolerance():
    """‖K − I‖ ≤ ‖WᵀΓ‖/(4 λ_min(A)), at points far from critical ones."""
    factor, generator = theory.moments(X).factor, np.random.default_rng(2)
    for _ in range(20):
        kernel = generator.normal(size=(6, 3))
        bound = np.linalg.norm(kernel.T @ gradient(kernel, factor)) / 4
        bound /= np.linalg.eigvalsh(kernel.T @ factor.T @ factor @ kernel)[0]
        assert np.linalg.norm(kernel.T @ kernel - np.eye(3)) <= bound


def test_unused_units_and_other_eigenvectors_are_saddles():
    """Subsets of the eigenvectors: none, fewer than units, and other than the leading ones."""
    factor, components = theory.moments(X).factor, theory.pca(X).components
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    for rows in ([], [0], [2, 5], [1, 2, 3]):
        kernel = np.zeros((6, 3))
        kernel[:, : len(rows)] = components[rows].T
        kernel = kernel @ rotation
        assert np.abs(gradient(kernel, factor)).max() < 1e-13
        with jax.enable_x64(True):
            loss = tied_loss(6, 3)
            hessian = jax.hessian(
                lambda flat, loss=loss: loss(kernel_params(flat.reshape(6, 3)), jnp.asarray(factor))
            )(jnp.asarray(kernel.ravel()))
            assert np.linalg.eigvalsh(np.asarray(hessian))[0] < -0.1


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (lambda rows: rows[::-1], ["holds", "fails"]),
        (lambda rows: rows[[0, 1, 3, 2, 4, 5]], ["holds", "fails"]),
        (lambda rows: rows + 1e-9, ["holds", "fails"]),
        (lambda rows: rows[[2, 0, 1, 3, 4, 5]], HOLDS),  # a subspace has no order
    ],
    ids=["reversed", "swapped", "off by 1e-9", "reordered"],
)
def test_a_false_analysis_fails(components, expected):
    problem = theory.pose(X, 3)
    false = problem.pca._replace(components=components(problem.pca.components))
    assert verdicts(theory.tied_weights(problem._replace(pca=false))) == expected


def test_untied_training_fails(monkeypatch):
    def untied(problem):
        return theory.train_linear(problem.key, problem.moments, problem.code)

    monkeypatch.setattr("aejax.theory.parameters.tied.train_tied", untied)
    assert verdicts(theory.tied_weights(theory.pose(X, 3))) == ["fails", "fails"]


def test_training_converges_for_a_repeated_eigenvalue_split_by_rounding_of_an_offset():
    x = with_spectrum([5.0, 4.0, 3.0, 3.0, 2.0, 1.0], seed=8) + 1e6
    orthonormal, subspace = theory.tied_weights(theory.pose(x, 3, key=jax.random.key(8)))
    assert orthonormal.verdict == "holds", str(orthonormal)
    assert subspace.verdict == "not identifiable"
    assert "exceeds the cap" in subspace.reason


def test_training_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(loss, start, data, **_):
        return minimise(loss, start, data, max_steps=5)

    monkeypatch.setattr("aejax.theory.parameters.tied.minimise", stopped)
    answers = theory.tied_weights(theory.pose(X, 3))
    assert verdicts(answers) == [NOT_IDENTIFIABLE, NOT_IDENTIFIABLE]
    assert all("training had not converged after 5 steps" in answer.reason for answer in answers)


CASES = {
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds", NOT_IDENTIFIABLE]),
    "nearly repeated at k": (DATA["λ_3 ≈ λ_4"], 3, None),
    "repeated above k": (DATA["λ_1 = λ_2"], 3, HOLDS),
    "rank < k": (DATA["rank 2"], 3, [NOT_IDENTIFIABLE, NOT_IDENTIFIABLE]),
    "rank = k": (DATA["rank 3"], 3, HOLDS),
    "constant feature": (DATA["last feature constant"], 3, HOLDS),
    "condition 1e12": (DATA["condition 1e12, 200 examples"], 3, HOLDS),
    "condition 1e24": (
        DATA["condition 1e24, 200 examples"],
        3,
        [NOT_IDENTIFIABLE, NOT_IDENTIFIABLE],
    ),
    "k = n": (X, 6, ["not applicable"] * 2),
    "one example": (DATA["one example"], 3, ["not applicable"] * 2),
    "constant data": (DATA["constant"], 3, ["not applicable"] * 2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    answers = theory.tied_weights(theory.pose(x, code))
    assert verdicts(answers) == (expected or ["holds", NOT_IDENTIFIABLE])
    for answer in answers:
        assert (answer.residual is None) == (answer.verdict != "holds")
