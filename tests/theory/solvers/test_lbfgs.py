"""L-BFGS as trainings use it, on a problem whose minimum, gradient and first step are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import theory
from aejax.theory.checking import tolerances
from aejax.theory.solvers import lbfgs
from tests.theory.spectra import with_spectrum

PROBLEM = theory.pose(with_spectrum([3.0, 2.0, 1.0], features=5) + np.arange(5.0), 2)


def bowl(params, data):
    (weights, centre), at = data, params["x"]
    return jnp.sum(weights * jnp.square(at - centre)) + jnp.sum((at - centre) ** 4)


def descended(data, **limits):
    return lbfgs.minimise(bowl, {"x": jnp.zeros(3)}, data, **limits)


def slope(solution, data):
    return float(jnp.linalg.norm(jax.grad(bowl)(solution.params, data)["x"]))


@pytest.fixture
def data(x64):
    return jnp.array([1.0, 5.0, 30.0]), jnp.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize("stop", [1e-2, 1e-6, 1e-11])
def test_it_stops_at_the_first_step_within_the_gradient_tolerance(data, stop):
    ended = descended(data, gradient_tolerance=stop)
    assert ended.converged
    assert slope(ended, data) <= stop
    np.testing.assert_allclose(ended.params["x"], data[1], atol=stop)
    before = descended(data, gradient_tolerance=stop, max_steps=ended.steps - 1)
    assert (before.steps, before.converged) == (ended.steps - 1, False)
    assert slope(before, data) > stop
    assert descended(data, gradient_tolerance=stop, max_steps=ended.steps).converged


def test_zero_steps_return_the_start_as_unconverged(data):
    solution = descended(data, max_steps=0)
    assert (solution.steps, solution.converged) == (0, False)
    np.testing.assert_array_equal(solution.params["x"], 0)
    assert lbfgs.convergence_doubt(solution) == "training had not converged after 0 steps"
    assert lbfgs.convergence_doubt(solution._replace(converged=True)) == ""


def test_unit_data_have_a_total_variance_of_one():
    assert np.linalg.norm(tolerances.unit_factor(PROBLEM)) == pytest.approx(1)
    expected = [1 / 2, 1 / 3, 1 / 6, 0, 0]
    np.testing.assert_allclose(tolerances.unit_eigenvalues(PROBLEM), expected, atol=1e-14)


def test_gradient_tolerances_follow_their_formulas():
    assert tolerances.gradient_stop(PROBLEM) == 1e-12
    far = theory.pose(PROBLEM.x + 1e5, 2)
    length = np.sqrt(np.mean(np.sum(far.x**2, axis=1)))
    stored = 8 * 2.0**-52 * length / np.sqrt(6)
    assert tolerances.gradient_stop(far) == pytest.approx(stored, rel=1e-9, abs=0)
    rounding = 8 * 2.0**-52 * (np.sqrt(25) + 50) * np.sqrt(3 / 6)
    assert tolerances.gradient_rounding(PROBLEM) == pytest.approx(rounding, rel=1e-9, abs=0)
    whole = pytest.approx(stored + rounding, rel=1e-6, abs=0)
    assert tolerances.gradient_error(far) == whole


def test_it_runs_under_strict_dtype_promotion(data):
    with jax.numpy_dtype_promotion("strict"):
        assert descended(data).converged
