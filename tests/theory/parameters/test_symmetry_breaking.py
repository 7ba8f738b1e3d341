"""Rate of the rotation, and decays and survival of ordered codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import theory
from aejax.theory.checking.tolerances import gradient_stop
from aejax.theory.parameters import component_recovery, symmetry_breaking
from tests.theory.spectra import with_spectrum

X = with_spectrum([6.0, 4.0, 2.0, 1.0]) + np.arange(4.0)


@pytest.mark.parametrize("values", [(6.0, 4.0, 2.0, 1.0), (6.0, 5.9, 2.0, 0.5), (8.0, 4, 3, 2.9)])
def test_the_steps_of_a_rotation_are_those_of_its_slowest_direction(values):
    """Linearised at V_k, with steps of 1/(8 λ_1), the slowest rate determines the steps."""
    problem = theory.pose(with_spectrum(values), 3)
    with jax.enable_x64(True):
        factor = jnp.diag(jnp.sqrt(jnp.asarray(values)))
        slope = jax.jacobian(symmetry_breaking.augmented_gradient)(jnp.eye(4)[:, :3], factor)
    rates = -np.linalg.eigvals(np.asarray(slope).reshape(12, 12)).real
    steps = -np.log(gradient_stop(problem)) / (rates.min() / (8 * values[0]))
    assert component_recovery.rotated_steps(problem) == pytest.approx(steps, rel=1e-6)


def test_equal_eigenvalues_need_infinitely_many_rotation_steps():
    problem = theory.pose(X, 2)
    equal = problem.pca._replace(eigenvalues=np.array([4.0, 4.0, 2.0, 1.0]))
    assert component_recovery.rotated_steps(problem._replace(pca=equal)) == np.inf


def test_a_rotated_training_takes_steps_of_an_eighth_of_the_largest_eigenvalue():
    problem = theory.pose(X, 2)
    kernel = np.asarray(
        symmetry_breaking.train_rotated(problem, max_steps=0).params["encoder"]["layer_0"]["kernel"]
    )
    moved = symmetry_breaking.train_rotated(problem, max_steps=1)
    assert (moved.steps, moved.converged) == (1, False)
    s = np.cov(X, rowvar=False, bias=True)
    covariance = kernel.T @ s @ kernel
    turn = (np.tril(covariance, -1) - np.triu(covariance, 1)) / 2
    rest = np.eye(4) - kernel @ kernel.T
    direction = 8 * kernel @ turn + 2 * (s @ rest + rest @ s) @ kernel
    expected = kernel + direction / (8 * 6.0)
    np.testing.assert_allclose(moved.params["encoder"]["layer_0"]["kernel"], expected, rtol=1e-10)


def test_decays_increase_below_the_last_eigenvalue_and_survival_decreases_from_one():
    np.testing.assert_allclose(symmetry_breaking.increasing_decays(6.0, 5), [1, 2, 3, 4, 5])
    counted = [np.mean(np.arange(1, 5) >= i) for i in range(1, 5)]  # for b uniform on 1 … k
    np.testing.assert_allclose(symmetry_breaking.uniform_survival(4), counted)
    decays = component_recovery.unequal_decays(theory.pose(X, 3), beyond=True)
    np.testing.assert_allclose(decays, [0.5, 1.0, 4.0])


def test_decays_are_in_the_units_of_the_eigenvalues():
    """Data and decays in another unit give the same kernels."""
    decays = np.array([0.5, 1.0])
    once, scaled = (
        symmetry_breaking.train_decayed(theory.pose(unit * X, 2), unit**2 * decays)
        for unit in (1.0, 4.0)
    )
    for one, other in zip(*map(jax.tree.leaves, (once.params, scaled.params)), strict=True):
        np.testing.assert_array_equal(one, other)
