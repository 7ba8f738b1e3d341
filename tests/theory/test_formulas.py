"""Formulas of tolerances and helpers against their docstrings, the spectrum or brute force."""

import jax
import numpy as np
import pytest

from aejax import theory
from aejax.theory.checking import problem, tolerances
from aejax.theory.course import theorem
from aejax.theory.learning import dynamics, encoder_bound, nonlinear_encoders, online
from aejax.theory.noise import masking, monte_carlo
from aejax.theory.optimum import critical_points, landscape
from aejax.theory.parameters import biases, component_recovery, components, symmetry_breaking
from aejax.theory.trajectories import alignment_times, solver_paths
from tests.theory.checking.test_tolerances import (
    CODE,
    EIGENGAP,
    EPSILON,
    EXAMPLES,
    EXCESS,
    FEATURES,
    GAP,
    GRADIENT,
    KEPT,
    LEFT,
    LENGTH,
    LOSS,
    PASS,
    RHO,
    SIGMA,
    SPECTRUM,
    STOP,
    TOTAL,
    X,
)
from tests.theory.spectra import with_spectrum

PROBLEM = theory.pose(X, CODE)
SHARES = SPECTRUM / TOTAL


def near(value):
    return pytest.approx(value, rel=1e-6, abs=0)


def test_tolerances_of_the_courses_conditions():
    assert theorem._covariance_tolerance(PROBLEM).value == near(4 * RHO / SIGMA[0])
    code = 3 * RHO / GAP + 2 * PASS / SIGMA[CODE - 1]
    assert theorem._code_tolerance(PROBLEM).value == near(code)
    assert theorem._stationary_tolerance(PROBLEM).value == near(8 * PASS / np.sqrt(TOTAL))


def test_tolerances_of_the_landscape_and_of_its_search():
    case = landscape.enumerated_landscape(PROBLEM)
    values = SPECTRUM / SPECTRUM[0]
    gap = -np.diff(np.append(values, 0)).max()
    error = 16 * EPSILON * (np.sqrt(EXAMPLES * FEATURES) + FEATURES * CODE)
    assert landscape._gradient_tolerance(PROBLEM, case).value == near(error)
    assert landscape._index_tolerance(PROBLEM, case).value == near(error / gap)


def test_the_tolerance_of_a_search_has_the_gradient_over_eigenvalue_and_gap(monkeypatch):
    monkeypatch.setattr(critical_points, "find_critical_points", lambda *_: np.zeros((0, 6, 6)))
    values = np.array([6.0, 5, 4, 2, 1, 0.5])
    (found,) = theory.critical_point_search(theory.pose(with_spectrum(values), 3))
    assert found.tolerance == near(16 * STOP * 36 / (0.5 * 0.5))


def test_the_error_of_a_gain_is_the_rounding_of_its_steps_and_of_two_products():
    assert dynamics._rounding(PROBLEM) == near(EPSILON * (32 + 2 * np.sqrt(FEATURES)))


def runs(limit, first, second):
    """Values at the steps of descent, with two terms of an expansion in the step."""
    steps = 1 / dynamics.STEP_COUNTS[:, None, None]
    return np.diag(limit) + np.diag(first) * steps + np.diag(second) * steps**2


def test_tolerances_of_curves_and_of_orders_are_ten_times_what_moves_and_rounding():
    gains, rounding = dynamics.logistic_gains(PROBLEM), dynamics._rounding(PROBLEM)
    maps = runs(gains, [0.3, -0.2, 0.1][: len(gains)], [1.0, 2.0, 3.0][: len(gains)])
    maps[-1] += 1e-9 * np.eye(len(gains))
    moved = np.abs(dynamics.richardson(maps) - dynamics.richardson(maps[:-1])).max()
    assert 1e-9 < moved < 1e-7
    expected = pytest.approx(10 * moved + 10 * rounding, rel=1e-9, abs=0)
    assert dynamics._curve_tolerance(PROBLEM, maps).value == expected
    orders = dynamics.orders(maps, gains)
    moved = np.abs(dynamics.richardson(orders) - dynamics.richardson(orders[:-1])).max()
    least = np.abs(np.diagonal(maps[-1]) - gains).min()
    error = 2 * rounding / (np.log(2) * least)
    expected = pytest.approx(10 * moved + 10 * error, rel=1e-9, abs=0)
    assert dynamics._order_tolerance(PROBLEM, maps).value == expected


def test_a_row_space_that_moves_by_rounding_has_converged():
    assert biases._rounded_movement(PROBLEM) == near(PASS / SIGMA[0])
    many = PROBLEM._replace(x=X[:2])
    small = many.moments._replace(magnitude=0.0, factor=np.zeros((4000, FEATURES)))
    of_points = 2 * EPSILON * np.sqrt(2 * 4000 * FEATURES)
    assert biases._rounded_movement(many._replace(moments=small)) == near(of_points)
    assert len(biases.sigma_points(PROBLEM.moments)) * FEATURES == 2 * PROBLEM.moments.factor.size


def test_a_rule_uses_momentum_only_if_plain_steps_do_not_suffice():
    """Plain steps: ln(1/g)/(η gap); with momentum 2 ln(1/g)/√(η gap); the maximum is 30 000."""
    logarithm = -np.log(16 * EPSILON * np.sqrt(FEATURES * CODE))
    alone = logarithm / (0.5 * 30_000)
    assert online.needed_momentum(PROBLEM, 1.001 * alone) == 0
    assert online.needed_momentum(PROBLEM, 0.999 * alone) == 1
    helped = (2 * logarithm / 30_000) ** 2 / 0.5
    assert online._too_many_steps(PROBLEM, 1.001 * helped) is None
    assert "steps, the maximum is 30000" in online._too_many_steps(PROBLEM, 0.999 * helped).reason
    assert online._too_many_steps(PROBLEM, 0.0) is not None
    large = PROBLEM.moments._replace(factor=np.zeros((5000, 5000)))
    assert online.max_rule_steps(PROBLEM._replace(moments=large)) == int(1e11 / (2 * 25e6 * CODE))


def test_variation_within_rounding_has_no_components_and_the_reason_states_its_variance():
    """Variation in the last digit of one feature: λ_1 = Σλ = ε²/4."""
    x = np.ones((40, 6))
    x[::2, 0] += EPSILON
    found = theory.pose(x, 2)
    expected = f"Σ λ = {EPSILON**2 / 4:.1e}"
    assert problem.rank(found) == 0
    assert expected in problem.pca_obstacle(found).reason
    assert expected in theorem._zero_variance(found).reason


def test_a_variance_whose_square_is_outside_float64_counts_in_the_rank():
    for unit in (1e-300, 1e-140, 1e140, 1e300):
        assert problem.rank(theory.pose(unit * (X - X.mean(axis=0)), 2)) == 6


def test_the_tolerance_of_masks_knows_a_factor_of_fewer_rows_than_features():
    values = np.sqrt([3.0, 2.0, 1.0, 0.5])
    noisy = np.sqrt(0.75**2 * values**2 + 0.25 * 0.75)
    fit = 0.75 * values**2 / noisy
    size = EPSILON * (np.sqrt((4 + 9) * 9) + 50)
    expected = size * values[0] * (3 + noisy[0] / np.sqrt(0.25 * 0.75)) / (fit[1] - fit[2])
    assert masking._subspace_tolerance((4, 9), values, 2).value == near(expected)


def test_tolerances_of_small_codes(monkeypatch):
    statement, encoding = (
        nonlinear_encoders.CURVED,
        nonlinear_encoders.Encoding(jax.numpy.tanh, 0.5),
    )
    orders = 2 + 1e-2 / 2.0 ** np.arange(nonlinear_encoders.NUM_SCALES - 1)
    orders[-1] += 1e-9
    monkeypatch.setattr(
        nonlinear_encoders, "excess_orders", lambda problem, encoding: (orders, 1e-6)
    )
    found = nonlinear_encoders._order(statement, PROBLEM, [encoding], [encoding], 2.0)
    moved = dynamics.richardson(orders) - dynamics.richardson(orders[:-1])
    size = 0.5 / 2.0 ** (nonlinear_encoders.NUM_SCALES - 1)
    relative = 2 * EPSILON * np.sqrt(EXAMPLES) / size / 1e-3
    assert found.tolerance == near(10 * abs(moved) + 16 * relative)
    assert found.residual == near(abs(dynamics.richardson(orders) - 2))
    rounding = 16 * EPSILON * np.sqrt(EXAMPLES * FEATURES) * SIGMA[0] / SIGMA[CODE - 1]
    assert nonlinear_encoders._rectified(PROBLEM).tolerance == near(rounding)


def test_of_large_data_networks_and_their_bound_are_those_of_its_representatives(monkeypatch):
    few = theory.pose(X[:20], CODE)
    monkeypatch.setattr(encoder_bound, "representatives", lambda _: few)
    monkeypatch.setattr(
        encoder_bound, "trained_codes", lambda problem: {"own": problem.x[:, :CODE]}
    )
    (found,) = encoder_bound.encoders_bounded_by_pca(PROBLEM)
    assert found.verdict == "holds"
    assert found.tolerance == tolerances.bound_tolerance(few).value
    values = few.pca.eigenvalues
    assert found.control == near(values[CODE - 1] / values[CODE:].sum())


@pytest.mark.parametrize(("examples", "saturated"), [(2, True), (4, True), (5, False)])
def test_a_code_holds_data_of_no_more_than_one_example_beyond_its_units(examples, saturated):
    found = nonlinear_encoders._too_few_examples(theory.pose(X[:examples], CODE))
    assert (found is not None) == saturated


def test_zero_gaps_have_infinite_tolerances():
    equal = np.array([4.0, 2.0, 2.0, 1.0, 0.5, 0.25])
    flat = PROBLEM._replace(pca=PROBLEM.pca._replace(eigenvalues=equal))
    assert components._decoder_tolerance(flat).value == np.inf
    assert components._reconstruction_tolerance(flat).value == np.inf
    assert tolerances.map_tolerance(flat._replace(code=2)).value == np.inf
    assert biases._free_tolerance(flat._replace(code=2)).value == np.inf
    assert component_recovery._nested_tolerance(flat).value == np.inf
    assert online._tolerance(flat, 0.0).value == np.inf


def test_tolerances_of_a_plain_training():
    assert tolerances.training_excess_bound(PROBLEM) == near(EXCESS)
    assert tolerances.trained_loss_tolerance(PROBLEM).value == near(LOSS + EXCESS / LEFT)
    assert tolerances.trained_map_tolerance(PROBLEM).value == near(np.sqrt(3 * EXCESS / EIGENGAP))


def test_tolerances_of_a_preconditioned_training():
    kept, left = np.sqrt(SHARES[:CODE, None]), np.sqrt(SHARES[CODE:])
    tilts = np.minimum(kept**2 - left**2, GRADIENT**2 / (kept - left)).sum()
    excess = (tilts + GRADIENT ** (4 / 3)) * TOTAL
    found = tolerances.preconditioned_loss_tolerance(PROBLEM)
    assert found.value == near(LOSS + excess / SPECTRUM[CODE:].sum())
    width = np.sqrt(SHARES[CODE - 1]) - np.sqrt(SHARES[CODE])
    of_map = 2 * GRADIENT / (SHARES[CODE - 1] ** 0.25 * width)
    assert tolerances.preconditioned_map_tolerance(PROBLEM).value == near(of_map)


def test_a_tilt_between_equal_eigenvalues_costs_nothing_in_a_preconditioned_training():
    """For λ = 4, 2, 2, 1 and two units only the pairs (1, 3), (1, 4) and (2, 4) have a cost."""
    problem = theory.pose(with_spectrum([4.0, 2.0, 2.0, 1.0]), 2)
    values, error = np.array([4, 2, 2, 1]) / 9, tolerances.gradient_error(problem)
    roots = np.sqrt(values)
    tilts = sum(error**2 / (roots[i] - roots[j]) for i, j in ((0, 2), (0, 3), (1, 3)))
    found = tolerances.preconditioned_loss_tolerance(problem).value
    closed = tolerances.loss_tolerance(problem).value
    assert found - closed == pytest.approx((tilts + error ** (4 / 3)) * 9 / 3, rel=1e-3)


def test_tolerances_of_ordered_training():
    turn, tilt = -np.diff(SHARES[:CODE]).max(), SHARES[CODE - 1] - SHARES[CODE]
    rotated = GRADIENT * (1 / turn + 1 / tilt + 1 / (4 * SHARES[CODE - 1]))
    assert component_recovery._rotated_tolerance(PROBLEM).value == near(rotated)
    stop = max(STOP, 8 * EPSILON * LENGTH / np.sqrt(TOTAL))
    steps = -np.log(stop) * SHARES[0] / min(turn / 2, tilt / 4)
    assert component_recovery.rotated_steps(PROBLEM) == near(steps)
    flat = theory.pose(with_spectrum([4.0, 2.0, 2.0, 1.0], features=5), 3)
    assert component_recovery.rotated_steps(flat) > 1e12
    assert component_recovery._rotated_tolerance(flat).value == np.inf


def test_the_weights_of_unequal_l2_stay_below_the_last_eigenvalue_and_equal_ones_are_their_mean():
    values = 1 / np.arange(1, 8)
    wanted = values[2] * np.array([1, 2, 3]) / 4
    np.testing.assert_allclose(
        component_recovery.unequal_decays(PROBLEM), KEPT[-1] * np.arange(1, 4) / 4
    )
    for method, decays in (("unequal L2", wanted), ("equal L2", wanted[[1, 1, 1]])):
        survival, found = alignment_times._weights(values, 3, method)
        np.testing.assert_allclose(found, decays, rtol=1e-6)
        np.testing.assert_array_equal(survival, 1)
    survival, found = alignment_times._weights(values, 3, "nested dropout")
    np.testing.assert_allclose(survival, symmetry_breaking.uniform_survival(3))
    np.testing.assert_array_equal(found, 0)


def test_one_unit_has_a_landscape_on_wide_and_narrow_data():
    wide = with_spectrum([9.0, 8, 7, 6, 5, 4, 3, 2, 1], features=12)
    for x, directions in ((wide, 6), (X, 6)):
        case, obstacle = landscape.landscape_or_obstacle(theory.pose(x, 1))
        assert obstacle is None
        assert (case.code, len(case.eigenvalues)) == (1, directions)
    assert " features" not in landscape._basis(theory.pose(X, 1), case)


def test_equal_gains_of_two_units_do_not_determine_their_directions():
    """λ_1 = λ_2, both kept: the gap of D² is zero, the gap of the subspace is not."""
    problem = theory.pose(with_spectrum([3.0, 3.0, 1.0, 0.5]), 2)
    tolerance = components._decoder_tolerance(problem)
    assert tolerance.value > 1e-3
    _, decoder = theory.principal_components(problem)
    assert decoder.verdict == "not identifiable"


def test_departures_from_orthonormality_are_spectral_norms(monkeypatch):
    kernel = np.array([[1.0, 0.5], [0.5, 1.0], [0.0, 0.3]])
    params = {"encoder": {"layer_0": {"kernel": kernel}}}
    monkeypatch.setattr(
        solver_paths, "train_tied", lambda problem, **_: theory.Solution(params, 3, converged=True)
    )
    _, departures = solver_paths.tied_path(theory.pose(with_spectrum([3.0, 2.0, 1.0]), 2))
    expected = np.linalg.svd(kernel.T @ kernel - np.eye(2), compute_uv=False)[0]
    np.testing.assert_allclose(departures, expected)


def test_the_momentum_of_a_rule_depends_on_its_smallest_gap(monkeypatch):
    seen = []

    def needed(problem, least):
        seen.append(least)
        return 0.0

    monkeypatch.setattr(solver_paths, "needed_momentum", needed)
    solver_paths.rule_path(PROBLEM, np.triu(np.ones((3, 3))))
    gaps = (SPECTRUM[:CODE] - SPECTRUM[1 : CODE + 1]) / SPECTRUM[0]
    assert seen == [near(gaps.min())]


def test_smaller_data_gets_more_draws():
    x = np.random.default_rng(0).normal(size=(100, 60))
    kernels = monte_carlo.Kernels(np.eye(60)[:, :2], np.eye(60)[:2])
    noise = monte_carlo.Noise(monte_carlo._gaussian, 0.1, 1.0, np.full(60, 0.01))
    draws = monte_carlo.draw_losses(jax.random.key(0), x, kernels, noise)
    assert len(draws) == 32 * 2**18 // 6000
    assert draws.mean() == pytest.approx(monte_carlo.expectation(x, kernels, noise), rel=1e-3)
