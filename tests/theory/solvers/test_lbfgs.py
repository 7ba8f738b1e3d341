"""`minimise` on a convex function with a known minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.theory.solvers import lbfgs


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


def test_it_runs_under_strict_dtype_promotion(data):
    with jax.numpy_dtype_promotion("strict"):
        assert descended(data).converged
