"""Solver paths, descent from a saddle and learned gains against SciPy, NumPy and formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from aejax import theory
from aejax.theory.noise import gaussian
from aejax.theory.noise.contraction import tied_gains
from aejax.theory.optimum import landscape
from aejax.theory.solvers.linear_solvers import squared_error_of_factor
from aejax.theory.trajectories import learned_gains, saddle_escape, solver_paths
from tests.theory.spectra import with_spectrum

SPECTRUM = [6.0, 4.0, 2.0, 1.0, 0.5, 0.25]
PROBLEM = theory.pose(with_spectrum(SPECTRUM) + np.arange(6.0), 3)
ONES = np.ones((3, 3))


def test_stops_run_from_one_to_the_last_and_are_few():
    for last in (1, 2, 7, 5000):
        steps = solver_paths.stops(last)
        assert (steps[0], steps[-1]) == (1, last)
        assert np.all(np.diff(steps) > 0)
        assert len(steps) <= solver_paths.MAX_STOPS


def test_principal_sines_are_those_of_scipy_and_exact_for_small_angles():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(3, 8))
    own = np.linalg.qr(generator.normal(size=(8, 3)))[0].T
    found = solver_paths.principal_sines(rows, own)
    np.testing.assert_allclose(found, np.sin(subspace_angles(rows.T, own.T)), rtol=1e-10)
    plane = np.eye(2)[:1]
    np.testing.assert_allclose(solver_paths.principal_sines(np.array([[1, 1e-12]]), plane), [1e-12])


@pytest.mark.parametrize(
    "path",
    [
        solver_paths.training_path,
        solver_paths.least_squares_path,
        lambda p: solver_paths.tied_path(p)[0],
    ],
)
def test_solvers_converge_from_a_distant_start_to_the_principal_subspace(path):
    steps, sines = path(PROBLEM)
    assert sines.shape == (len(steps), 3)
    assert np.all(np.diff(sines, axis=1) <= 1e-12)  # the largest angle first
    assert sines[0, 0] > 0.1
    assert sines[-1, 0] < 1e-8


def test_least_squares_converges_at_the_ratio_of_the_eigenvalues_at_the_cut():
    steps, sines = solver_paths.least_squares_path(PROBLEM)
    late = (sines[:, 0] < 1e-3) & (sines[:, 0] > 1e-10)
    slope = np.polyfit(steps[late], np.log(sines[late, 0]), 1)[0]
    assert slope == pytest.approx(np.log(1 / 2), rel=0.02)


def test_tied_training_makes_the_code_orthonormal():
    _, departures = solver_paths.tied_path(PROBLEM)
    assert departures[0] > 0.1
    assert departures[-1] < 1e-10


def test_sangers_rule_finds_each_component_and_ojas_does_not():
    assert solver_paths.rule_path(PROBLEM, np.triu(ONES)).sines[-1].max() < 1e-9
    assert solver_paths.rule_path(PROBLEM, ONES).sines[-1].max() > 0.1


def test_a_stream_reaches_the_subspace_of_scikit_learn_only_at_its_end():
    path = solver_paths.stream_path(PROBLEM, batches=8)
    assert path.steps.tolist() == [5, 10, 15, 20, 25, 30, 35, 40]
    assert path.sines[:-1, 0].min() > 1e-3
    assert path.sines[-1, 0] < 1e-12
    first = np.asarray(jax.random.permutation(PROBLEM.key, 40))[:10]
    own = PCA(3, svd_solver="full").fit(PROBLEM.x[first]).components_
    angles = subspace_angles(own.T, theory.pca(PROBLEM.x).components[:3].T)
    np.testing.assert_allclose(path.sines[1], np.sin(angles), rtol=1e-8)


def test_batches_before_there_are_k_components_are_omitted():
    assert solver_paths.stream_path(PROBLEM, batches=40).steps[0] == 4


def test_modes_follow_the_flow_that_scipy_integrates_to_first_order():
    errors = []
    for steps in (200, 400):
        times, gains = solver_paths.mode_curves(PROBLEM, duration=3.0, steps=steps)
        flow = solve_ivp(
            lambda _, a: 4 * np.array(SPECTRUM[:3]) / 6 * a * (1 - a),
            (0, 3),
            np.full(3, 0.01),
            t_eval=times,
            rtol=1e-10,
            atol=1e-12,
        )
        errors.append(np.abs(gains.T - flow.y).max())
    assert errors[1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_descent_is_that_of_numpy_and_observes_its_start():
    generator = np.random.default_rng(1)
    factor, encoder, decoder = (generator.normal(size=s) for s in ((5, 4), (4, 2), (2, 4)))
    losses, (a, b) = [], (encoder, decoder)
    for step in range(4):
        missed = factor - factor @ a @ b
        losses.append(np.sum(missed**2))
        if step < 3:
            a, b = a + 0.02 * factor.T @ missed @ b.T, b + 0.02 * a.T @ factor.T @ missed
    with jax.enable_x64(True):
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(encoder)}},
            "decoder": {"layer_0": {"kernel": jnp.asarray(decoder)}},
        }
        data = jnp.asarray(factor)
        end, seen = solver_paths.descend(
            params, data, squared_error_of_factor, data, step=0.01, steps=3
        )
        np.testing.assert_allclose(seen, losses, rtol=1e-12)
        np.testing.assert_allclose(end["decoder"]["layer_0"]["kernel"], b, rtol=1e-12)


class TestEscape:
    case = landscape.landscape_or_obstacle(PROBLEM)[0]

    def test_the_curvature_is_that_of_the_two_by_two_block(self):
        found = saddle_escape.escape(self.case)
        block = 2 * np.array([[1, -1], [-1, SPECTRUM[3] / 6]])
        assert found.curvature == pytest.approx(np.linalg.eigvalsh(block)[0], rel=1e-10)
        near = np.abs(saddle_escape.OFFSETS) < 0.06
        bend = np.polyfit(saddle_escape.OFFSETS[near], found.slice_losses[near], 2)[0]
        assert 2 * bend == pytest.approx(found.curvature, rel=0.01)

    def test_descent_leaves_the_saddle_and_ends_at_the_minimum(self):
        found = saddle_escape.escape(self.case)
        saddle, least = found.levels
        assert (saddle, least) == pytest.approx((6.75 / 6, 1.75 / 6))
        assert found.slice_losses[len(saddle_escape.OFFSETS) // 2] == pytest.approx(saddle)
        assert found.path_losses[0] == pytest.approx(saddle, rel=1e-5)
        assert np.all(np.diff(found.path_losses) <= 1e-14)
        assert found.path_losses[-1] == pytest.approx(least, rel=1e-6)


def test_trained_gains_are_those_of_the_formulas():
    kept = np.array(SPECTRUM[:3])
    variance = gaussian.noise_variance(PROBLEM)
    np.testing.assert_allclose(
        learned_gains.denoising_gains(PROBLEM), kept / (kept + variance), atol=1e-9
    )
    np.testing.assert_allclose(
        learned_gains.contractive_gains(PROBLEM), tied_gains(PROBLEM), atol=1e-9
    )
