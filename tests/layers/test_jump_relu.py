"""JumpReLU: its gradient against quadrature of the kernel estimate, and of the expectation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy.integrate import quad
from scipy.stats import norm

import aejax
from aejax.layers.jump_relu import above_threshold, is_above_threshold

POINTS = 200_000
Z = norm.ppf((np.arange(POINTS) + 0.5) / POINTS)[:, None]  # midpoints of a normal distribution
THRESHOLDS = np.array([0.3, 1.1])


def expected(function, threshold, bandwidth):
    """Expectation of the kernel estimate times a function of z, by adaptive quadrature."""
    low, high = threshold - bandwidth / 2, threshold + bandwidth / 2
    return -quad(lambda z: function(z) * norm.pdf(z), low, high)[0] / bandwidth


@pytest.mark.parametrize("bandwidth", [0.5, 0.01])
def test_gradients_are_the_kernel_estimate_by_quadrature(x64, bandwidth):
    @jax.jit
    def means(thresholds):
        z = jnp.asarray(Z) * jnp.ones(2)
        upstream = jnp.cos(z)
        return (
            jnp.mean(upstream * above_threshold(z, thresholds, bandwidth), axis=0),
            jnp.mean(upstream * is_above_threshold(z, thresholds, bandwidth), axis=0),
        )

    values, steps = jax.jit(jax.jacrev(means))(jnp.asarray(THRESHOLDS))
    for index, threshold in enumerate(THRESHOLDS):
        kernel = expected(np.cos, threshold, bandwidth)
        assert values[index, index] == pytest.approx(threshold * kernel, rel=5e-3)
        assert steps[index, index] == pytest.approx(kernel, rel=5e-3)
        if bandwidth == 0.01:  # the derivative of the expectation itself
            true = -np.cos(threshold) * norm.pdf(threshold)
            assert steps[index, index] == pytest.approx(true, rel=5e-3)
            assert values[index, index] == pytest.approx(threshold * true, rel=5e-3)
    assert values[0, 1] == steps[1, 0] == 0


def test_values_and_derivatives_by_z_are_those_of_a_step(x64):
    z, threshold = jnp.array([[-1.0, 0.2], [0.5, 0.9]]), jnp.array([0.5, 0.2])
    value = above_threshold(z, threshold, 0.1)
    np.testing.assert_array_equal(value, [[0, 0], [0, 0.9]])
    np.testing.assert_array_equal(is_above_threshold(z, threshold, 0.1), [[0, 0], [0, 1]])
    slope = jax.grad(lambda z: above_threshold(z, threshold, 0.1).sum())(z)
    np.testing.assert_array_equal(slope, [[0, 0], [0, 1]])


def test_arguments_outside_their_range_are_refused():
    for arguments in ({"threshold": -1.0, "bandwidth": 1.0}, {"threshold": 1.0, "bandwidth": 0.0}):
        with pytest.raises((ValueError, TypeCheckError), match=r"threshold|bandwidth"):
            aejax.jump_relu(**arguments)
