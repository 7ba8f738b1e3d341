"""Ordered recovery against SciPy, full Hessians, Monte Carlo, and wrong formulas."""

from itertools import permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.parameters import component_recovery, symmetry_breaking
from aejax.theory.parameters.component_recovery import ordered_recovery
from aejax.theory.parameters.curvature import decayed_curvature, nested_curvature, ordered_gains
from aejax.theory.solvers.lbfgs import minimise
from aejax.theory.solvers.penalised import kernels
from tests.theory.degenerate_data import DATA, DIGITS, EIGENVALUES, NORMAL, X
from tests.theory.units import assert_no_number_changes
from tests.theory.verdict_checks import verdicts

PROBLEM = theory.pose(X, 3)
ROWS = PCA(3, svd_solver="full").fit(X).components_
TOTAL = EIGENVALUES.sum()
HOLDS, NO = "holds", "not identifiable"


def params(encoder, decoder):
    layers = {"encoder": encoder, "decoder": decoder}
    return {side: {"layer_0": {"kernel": jnp.asarray(kernel)}} for side, kernel in layers.items()}


def tied_kernel(solution):
    return np.asarray(solution.params["encoder"]["layer_0"]["kernel"])


def signed(kernel, rows=ROWS):
    """Columns with the signs of scikit-learn's components."""
    return kernel * np.sign(np.sum(kernel * rows.T, axis=0))


@pytest.fixture(scope="module")
def certificates():
    return ordered_recovery(theory.pose(DIGITS, 10))


@pytest.mark.slow
def test_they_hold_on_the_digits_and_their_controls_are_rejected(certificates):
    assert verdicts(certificates) == [HOLDS] * 4
    for certificate in certificates:
        assert certificate.residual <= certificate.tolerance < 1e-6
        assert certificate.control > 1e6 * certificate.tolerance
    assert certificates[1].control == pytest.approx(1, rel=1e-6)  # |1 − 2| for a gain of zero
    assert certificates[2].control > 0.9


def test_the_objective_is_the_expectation_over_truncations_in_numpy():
    generator = np.random.default_rng(0)
    encoder, decoder = generator.normal(size=(6, 3)), generator.normal(size=(3, 6))
    chances, decays = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.4])
    r = (X - X.mean(axis=0)) / np.sqrt(len(X))
    truncated = [np.sum((r - r @ encoder[:, :b] @ decoder[:b]) ** 2) for b in (1, 2, 3)]
    expected = chances @ truncated + np.sum(
        decays * (np.sum(encoder**2, 0) + np.sum(decoder**2, 1))
    )
    survival = np.array([1.0, 0.5, 0.2])
    with jax.enable_x64(True):
        data = tuple(map(jnp.asarray, (PROBLEM.moments.factor, survival, decays)))
        found = float(symmetry_breaking.ordered_objective(params(encoder, decoder), data))
    assert found == pytest.approx(expected, rel=1e-12)
    drawn = np.array(truncated)[generator.choice(3, 100_000, p=chances)]
    penalty = expected - chances @ truncated
    assert abs(drawn.mean() + penalty - found) < 5 * drawn.std() / np.sqrt(100_000)


def test_unequal_l2_converges_to_scikit_learns_components_in_order_and_shrunk():
    decays = np.array([0.3, 0.6, 0.9])
    encoder, decoder = kernels(symmetry_breaking.train_decayed(PROBLEM, decays))
    expected = ROWS.T * np.sqrt(1 - decays / EIGENVALUES[:3])
    np.testing.assert_allclose(signed(encoder), expected, atol=1e-9)
    np.testing.assert_allclose(signed(decoder.T), expected, atol=1e-9)


def test_the_smallest_decay_takes_the_largest_component_at_any_position():
    decays = np.array([0.9, 0.3, 0.6])
    _, decoder = kernels(symmetry_breaking.train_decayed(PROBLEM, decays))
    rows = ROWS[[2, 0, 1]]
    expected = rows.T * np.sqrt(1 - decays / EIGENVALUES[[2, 0, 1]])
    np.testing.assert_allclose(signed(decoder.T, rows), expected, atol=1e-9)


def test_scipy_converges_to_the_same_solution():
    decays = np.array([0.3, 0.6, 0.9])
    factor, start = PROBLEM.moments.factor, np.random.default_rng(0).normal(size=36)

    def loss(flat):
        encoder, decoder = flat.reshape(2, 6, 3)
        error = factor - factor @ encoder @ decoder.T
        return np.sum(error**2) + np.sum(decays * (encoder**2 + decoder**2))

    found = scipy.optimize.minimize(loss, start, method="BFGS", tol=1e-8).x.reshape(2, 6, 3)
    expected = ROWS.T * np.sqrt(1 - decays / EIGENVALUES[:3])
    np.testing.assert_allclose(signed(found[0]), expected, atol=1e-4)
    np.testing.assert_allclose(signed(found[1]), expected, atol=1e-4)


@pytest.mark.parametrize("decays", [(0.3, 0.6, 2.5), (0.3, 5.0, 0.9), (0.5, 7.0, 8.0)])
def test_beyond_the_bound_units_vanish_one_by_one(decays):
    """The bound is needed: the unit of largest μ vanishes if μ exceeds its eigenvalue."""
    decays = np.array(decays)
    _, decoder = kernels(symmetry_breaking.train_decayed(PROBLEM, decays))
    order = np.argsort(np.argsort(decays))
    expected = np.sqrt(np.maximum(0, 1 - decays / EIGENVALUES[order]))
    np.testing.assert_allclose(np.linalg.norm(decoder, axis=1), expected, atol=1e-9)
    for row, length, i in zip(decoder, expected, order, strict=True):
        assert abs(row @ ROWS[i]) == pytest.approx(length, abs=1e-9)
    assert expected.min() == 0


@pytest.mark.parametrize("decays", [(0.3, 0.6, 0.9), (0.3, 0.6, 1.5), (0.3, 0.6, 4.0)])
def test_every_other_assignment_is_a_critical_saddle_and_the_curvature_is_that_of_jax(decays):
    """Exactly one assignment of 4 directions, or none, to 3 units is a minimum."""
    eigenvalues, decays, minima = np.array([5.0, 3.0, 2.0, 1.0]), np.array(decays), []
    with jax.enable_x64(True):
        data = (jnp.diag(jnp.sqrt(eigenvalues)), jnp.ones(3), jnp.asarray(decays))
        gradient = jax.jit(jax.grad(symmetry_breaking.ordered_objective))
        second = jax.jit(lambda point: hessian_of(point, data))
        for chosen in product(range(5), repeat=3):
            real = [i for i in chosen if i < 4]
            if len(set(real)) < len(real):
                continue
            gains = ordered_gains(np.append(eigenvalues, 1e-9)[list(chosen)], decays)
            if any(g == 0 for g, i in zip(gains, chosen, strict=True) if i < 4):
                continue
            kernel = np.eye(5)[:4, list(chosen)] * np.sqrt(gains)
            point = params(kernel, kernel.T)
            assert (
                max(float(jnp.abs(g).max()) for g in jax.tree.leaves(gradient(point, data))) < 1e-13
            )
            least = np.linalg.eigvalsh(np.asarray(second(point)))[0]
            if least > 0:
                minima.append((chosen, least / 2))
    ordered_one = tuple(i if decays[i] < eigenvalues[i] else 4 for i in range(3))
    assert [chosen for chosen, _ in minima] == [ordered_one]
    curvature = decayed_curvature(eigenvalues[:3], 1.0, decays)
    assert curvature == pytest.approx(minima[0][1], rel=1e-9)


def hessian_of(point, data):
    flat, unravel = jax.flatten_util.ravel_pytree(point)
    return jax.hessian(lambda flat: symmetry_breaking.ordered_objective(unravel(flat), data))(flat)


@jax.jit
def nested_hessian(rows, data):
    def flat_loss(flat):
        return symmetry_breaking._projected({"rows": flat.reshape(rows.shape)}, data)

    return jnp.linalg.eigvalsh(jax.hessian(flat_loss)(rows.ravel()))


def test_nested_dropout_has_one_minimum_among_orders_whose_curvature_is_the_formula():
    eigenvalues, survival = np.array([5.0, 3.0, 2.0, 1.0]), np.array([1.0, 0.7, 0.2])
    with jax.enable_x64(True):
        data = (jnp.diag(jnp.sqrt(eigenvalues)), jnp.asarray(survival))
        for chosen in permutations(range(4), 3):
            curvatures = nested_hessian(jnp.eye(4)[jnp.array(chosen)], data) / 2
            if chosen == (0, 1, 2):
                np.testing.assert_allclose(curvatures[:3], 0, atol=1e-12)  # lengths of three rows
                expected = nested_curvature(eigenvalues[:3], 1.0, survival)
                assert curvatures[3] == pytest.approx(expected, rel=1e-9)
            else:
                assert curvatures[0] < -0.01


def test_nested_dropout_attains_the_sum_of_all_truncations_with_both_gradients_zero():
    survival = symmetry_breaking.uniform_survival(3)
    solution = symmetry_breaking.train_nested(PROBLEM, survival)
    with jax.enable_x64(True):
        data = (jnp.asarray(PROBLEM.moments.factor), jnp.asarray(survival), jnp.zeros(3))
        value, gradient = jax.value_and_grad(symmetry_breaking.ordered_objective)(
            solution.params, data
        )
        assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) < 1e-9
    expected = np.mean([EIGENVALUES[b:].sum() for b in (1, 2, 3)])
    assert float(value) == pytest.approx(expected, rel=1e-12)
    encoder, decoder = kernels(solution)
    np.testing.assert_allclose(signed(decoder.T), ROWS.T, atol=1e-8)
    np.testing.assert_allclose(signed(encoder), ROWS.T, atol=1e-8)


def test_a_truncation_of_probability_zero_leaves_its_units_free():
    """p_b > 0 is needed: if p_1 = 0, the first two units are any basis of their plane."""
    _, decoder = kernels(symmetry_breaking.train_nested(PROBLEM, np.array([1.0, 1.0, 0.5])))
    rows = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    cosines = np.abs(np.sum(rows * ROWS, axis=1))
    assert cosines[2] == pytest.approx(1, abs=1e-12)
    assert cosines[:2].max() < 0.999
    plane = ROWS[:2].T @ ROWS[:2]
    np.testing.assert_allclose(rows[:2] @ plane, rows[:2], atol=1e-8)


def test_rotation_converges_to_scikit_learns_components_from_any_start():
    for seed in range(4):
        solution = symmetry_breaking.train_rotated(
            theory.pose(X, 3, key=jax.random.key(seed)), max_steps=5000
        )
        assert solution.converged
        np.testing.assert_allclose(signed(tied_kernel(solution)), ROWS.T, atol=1e-10)


def test_only_the_order_of_variance_is_stable_under_rotation():
    factor = np.diag(np.sqrt([5.0, 3.0, 2.0, 1.0]))
    with jax.enable_x64(True):
        field = jax.jit(
            lambda kernel: symmetry_breaking.augmented_gradient(kernel, jnp.asarray(factor))
        )
        slope = jax.jit(jax.jacobian(field))
        for chosen in permutations(range(4), 3):
            kernel = jnp.eye(4)[:, list(chosen)]
            assert float(jnp.abs(field(kernel)).max()) < 1e-14
            rates = np.linalg.eigvals(np.asarray(slope(kernel)).reshape(12, 12)).real
            assert (rates.max() < 0) == (chosen == (0, 1, 2))


def test_gradient_and_rotation_are_orthogonal_and_the_rotation_is_that_of_sanger_in_order():
    kernel = np.random.default_rng(1).normal(size=(6, 3))
    factor = PROBLEM.moments.factor
    with jax.enable_x64(True):
        turn = np.asarray(symmetry_breaking.rotation(jnp.asarray(kernel), jnp.asarray(factor)))
        whole = np.asarray(
            symmetry_breaking.augmented_gradient(jnp.asarray(kernel), jnp.asarray(factor))
        )
    covariance = kernel.T @ factor.T @ factor @ kernel
    np.testing.assert_allclose(turn, (np.tril(covariance, -1) - np.triu(covariance, 1)) / 2)
    rotated = symmetry_breaking.ROTATION_WEIGHT * kernel @ turn
    assert abs(np.sum(rotated * (whole - rotated))) < 1e-10 * np.sum(whole**2)


def test_the_whitened_untied_code_is_stationary_and_is_not_aligned():
    """Balance is needed: the whitened code is stationary for any rotation."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    roots = np.sqrt(EIGENVALUES[:3])
    encoder, decoder = (ROWS.T / roots) @ turn, turn.T @ (roots[:, None] * ROWS)
    with jax.enable_x64(True):
        factor = jnp.asarray(PROBLEM.moments.factor)
        data = (factor, jnp.ones(3), jnp.zeros(3))
        gradient = jax.grad(symmetry_breaking.ordered_objective)(params(encoder, decoder), data)
        turned = symmetry_breaking.rotation(jnp.asarray(encoder), factor)
        assert float(jnp.abs(turned).max()) < 1e-13
        assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) < 1e-12
    assert np.abs(np.sum(encoder / np.linalg.norm(encoder, axis=0) * ROWS.T, axis=0)).min() < 0.99


FALSE_GAINS = {
    "uniform": lambda lam, decays: 1 - decays.mean() / lam,
    "1 − μ/σ": lambda lam, decays: np.maximum(0, 1 - decays / np.sqrt(lam)),
    "reversed": lambda lam, decays: ordered_gains(lam, decays[::-1]),
    "off by 1e-7": lambda lam, decays: ordered_gains(lam, decays) + 1e-7,
}


@pytest.mark.parametrize("false", FALSE_GAINS)
def test_a_wrong_formula_fails(monkeypatch, false):
    monkeypatch.setattr(component_recovery, "ordered_gains", FALSE_GAINS[false])
    assert verdicts(ordered_recovery(PROBLEM)) == ["fails", "fails", HOLDS, HOLDS]


def test_a_formula_without_the_bound_fails_only_beyond_it(monkeypatch):
    monkeypatch.setattr(
        component_recovery, "ordered_gains", lambda lam, decays: np.abs(1 - decays / lam)
    )
    assert verdicts(ordered_recovery(PROBLEM)) == [HOLDS, "fails", HOLDS, HOLDS]


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3, 4, 5], [0, 1, 3, 2, 4, 5]], ids=["order", "subspace"]
)
def test_a_false_analysis_fails(order):
    false = PROBLEM.pca._replace(components=PROBLEM.pca.components[order])
    expected = ["fails", HOLDS if order[2] == 3 else "fails", "fails", "fails"]
    assert verdicts(ordered_recovery(PROBLEM._replace(pca=false))) == expected


@pytest.mark.parametrize(
    ("trainer", "place"), [("train_decayed", 0), ("train_nested", 2), ("train_rotated", 3)]
)
def test_training_without_symmetry_breaking_fails(monkeypatch, trainer, place):
    plain = {
        "train_decayed": lambda problem, decays: symmetry_breaking.train_decayed(
            problem, np.full_like(decays, 0.3)
        ),
        "train_nested": lambda problem, survival: symmetry_breaking.train_nested(
            problem, np.ones(3)
        ),
        "train_rotated": lambda problem, max_steps: component_recovery.train_tied(problem),
    }
    monkeypatch.setattr(component_recovery, trainer, plain[trainer])
    answers = verdicts(ordered_recovery(PROBLEM))
    assert answers[place] == "fails"
    assert answers.count(HOLDS) == (2 if place == 0 else 3)


def test_training_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(loss, start, data, **_):
        return minimise(loss, start, data, max_steps=5)

    monkeypatch.setattr(symmetry_breaking, "minimise", stopped)
    monkeypatch.setattr(
        component_recovery,
        "train_rotated",
        lambda problem, max_steps: symmetry_breaking.train_rotated(problem, max_steps=5),
    )
    answers = ordered_recovery(PROBLEM)
    assert verdicts(answers) == [NO] * 4
    assert all("training had not converged after" in answer.reason for answer in answers)


def test_rotation_stops_at_the_maximum_number_of_steps():
    solution = symmetry_breaking.train_rotated(PROBLEM, max_steps=5)
    assert (solution.steps, solution.converged) == (5, False)


def test_a_rotation_with_too_many_steps_is_not_started(monkeypatch):
    monkeypatch.setattr(component_recovery, "MAX_WORK", 1e3)
    monkeypatch.setattr(component_recovery, "train_rotated", lambda *_, **__: 1 / 0)
    answers = ordered_recovery(PROBLEM)
    assert verdicts(answers) == [HOLDS, HOLDS, HOLDS, NO]
    assert "steps are too many" in answers[3].reason


CASES = {
    "repeated within k": (DATA["λ_2 = λ_3"], 3, [NO] * 4),
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [NO, HOLDS, NO, NO]),
    "repeated below k": (DATA["λ_4 = λ_5 = λ_6"], 3, [HOLDS] * 4),
    "nearly repeated": (DATA["λ_2 ≈ λ_3"], 3, [NO] * 4),
    "rank < k": (DATA["rank 2"], 3, [NO] * 4),
    "rank = k": (DATA["rank 3"], 3, [HOLDS] * 4),
    "m < n": (NORMAL[:5], 3, [HOLDS] * 4),
    "m < k": (NORMAL[:3], 3, [NO] * 4),
    "constant feature": (DATA["last feature constant"], 3, [HOLDS] * 4),
    "large": (DATA["regular, huge unit"], 3, [HOLDS] * 4),
    "small": (DATA["regular, tiny unit"], 3, [HOLDS] * 4),
    "k = n": (X, 6, ["not applicable"] * 4),
    "k > n": (X, 7, ["not applicable"] * 4),
    "k = 1": (X, 1, ["not applicable"] * 4),
    "constant data": (DATA["constant"], 3, ["not applicable"] * 4),
    "condition 1e12": (
        DATA["condition 1e12, 200 examples"],
        3,
        [NO, NO, HOLDS, NO],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    answers = ordered_recovery(theory.pose(x, code))
    assert verdicts(answers) == expected
    for answer in answers:
        assert (answer.residual is None) == (answer.verdict != HOLDS), str(answer)
    if name == "repeated within k":
        assert all("least gap" in a.reason or "gaps of" in a.reason for a in answers)


def test_the_precision_of_the_caller_is_unchanged_and_irrelevant():
    assert jnp.zeros(1).dtype == np.float32
    with jax.enable_x64(True):
        again = ordered_recovery(PROBLEM)
    assert again == ordered_recovery(PROBLEM)


def test_the_unit_of_measurement_changes_no_number():
    assert_no_number_changes(ordered_recovery, X, 3)
