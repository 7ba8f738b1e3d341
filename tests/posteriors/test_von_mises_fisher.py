"""Von Mises–Fisher posteriors against mpmath's Bessel functions and SciPy's distribution."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax.test_util import check_grads

from aejax.posteriors import VonMisesFisher, von_mises_fisher
from aejax.posteriors.von_mises_fisher import MAX_CONCENTRATION

POSTERIOR = von_mises_fisher()
UNITS = (2, 3, 10, 64)
CONCENTRATIONS = (0.0, 1e-3, 0.7, 20.0, 1000.0, MAX_CONCENTRATION)


def code_of(concentration, units: int) -> VonMisesFisher:
    concentration = jnp.atleast_1d(jnp.asarray(concentration, float))
    direction = np.random.default_rng(units).normal(size=(len(concentration), units))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return VonMisesFisher(jnp.asarray(direction), concentration)


def exact_divergence(concentration: float, units: int) -> float:
    """KL from the uniform distribution by Bessel functions in 50 digits."""
    with mpmath.workdps(50):
        order, kappa = mpmath.mpf(units) / 2 - 1, mpmath.mpf(concentration)
        if kappa == 0:
            return 0.0
        mean = mpmath.besseli(order + 1, kappa) / mpmath.besseli(order, kappa)
        log_constant = order * mpmath.log(kappa) - mpmath.log(mpmath.besseli(order, kappa))
        log_constant -= (order + 1) * mpmath.log(2 * mpmath.pi)
        area = 2 * mpmath.pi ** (order + 1) / mpmath.gamma(order + 1)
        return float(kappa * mean + log_constant + mpmath.log(area))


@pytest.mark.parametrize("units", UNITS)
def test_the_divergence_is_that_of_mpmath_over_the_range_of_concentrations(units, x64):
    found = POSTERIOR.divergence(code_of(CONCENTRATIONS, units))
    expected = [exact_divergence(concentration, units) for concentration in CONCENTRATIONS]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    single = code_of(CONCENTRATIONS, units)
    single = VonMisesFisher(*(array.astype(jnp.float32) for array in single))
    np.testing.assert_allclose(POSTERIOR.divergence(single), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("units", UNITS)
def test_densities_are_scipys(units, x64):
    code = code_of(CONCENTRATIONS[1:], units)
    z = np.random.default_rng(1).normal(size=code.direction.shape)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    expected = [
        scipy.stats.vonmises_fisher(np.array(mean), float(kappa)).logpdf(point)
        for mean, kappa, point in zip(*code, z, strict=True)
    ]
    np.testing.assert_allclose(POSTERIOR.log_density(code, jnp.asarray(z)), expected, rtol=1e-10)
    uniform = POSTERIOR.log_density(code_of([0.0], units), jnp.asarray(z[:1]))
    np.testing.assert_allclose(POSTERIOR.log_prior(jnp.asarray(z)), uniform[0], rtol=1e-13)


@pytest.mark.parametrize(("units", "concentration"), [(2, 3.0), (3, 0.5), (10, 20.0), (64, 1e4)])
def test_samples_have_the_radial_distribution_and_are_symmetric(units, concentration, x64):
    count = 3000
    direction = code_of(concentration, units).direction
    code = VonMisesFisher(jnp.repeat(direction, count, 0), jnp.full(count, concentration))
    z = np.asarray(POSTERIOR.sample(jax.random.key(0), code))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-12)
    radial = z @ np.asarray(direction)[0]
    order = units / 2 - 1
    mean = scipy.special.ive(order + 1, concentration) / scipy.special.ive(order, concentration)
    variance = 1 - mean**2 - (units - 1) / concentration * mean
    assert abs(radial.mean() - mean) < 6.1 * np.sqrt(variance / count)
    s = np.linspace(-20, 20, 200_001)  # w = tanh s
    log_density = (1 - units) * np.log(np.cosh(s)) + concentration * np.tanh(s)
    distribution = np.cumsum(np.exp(log_density - log_density.max()))
    transformed = np.interp(radial, np.tanh(s), distribution / distribution[-1])
    assert scipy.stats.kstest(transformed, "uniform").pvalue > 1e-6
    tangent = z - radial[:, None] * np.asarray(direction)
    length = np.sqrt(np.mean(np.sum(tangent**2, axis=1)))
    assert np.linalg.norm(tangent.mean(axis=0)) < 6.1 * length / np.sqrt(count)


@pytest.mark.parametrize(("units", "concentration"), [(2, 3.0), (3, 0.5), (10, 20.0), (64, 200.0)])
def test_derivatives_of_samples_are_those_of_finite_differences(units, concentration, x64):
    code = code_of(np.full(4, concentration), units)

    def sample(direction, concentration):
        direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
        return POSTERIOR.sample(jax.random.key(1), VonMisesFisher(direction, concentration))

    check_grads(sample, tuple(code), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)


def test_the_pathwise_gradient_of_the_mean_is_the_derivative_of_its_closed_form(x64):
    """d E[μ·z]/dκ = A′(κ) = 1 − A² − (m − 1) A/κ."""
    units, kappa, count = 5, 4.0, 3000
    code = code_of(kappa, units)

    def radial(concentration):
        direction = jnp.repeat(code.direction, count, 0)
        repeated = VonMisesFisher(direction, jnp.full(count, concentration))
        return POSTERIOR.sample(jax.random.key(2), repeated) @ code.direction[0]

    derivatives = np.asarray(jax.jvp(radial, (kappa,), (1.0,))[1])
    mean = scipy.special.ive(units / 2, kappa) / scipy.special.ive(units / 2 - 1, kappa)
    expected = 1 - mean**2 - (units - 1) * mean / kappa
    error = 6.1 * derivatives.std() / np.sqrt(count)
    assert abs(derivatives.mean() - expected) < error < 0.2 * expected


def test_extreme_outputs_give_finite_unit_vectors():
    output = jnp.array([[0.0, 0.0, 0.0, -1e4], [1e4, -1e4, 0.0, 1e4], [1e-30, 0.0, 0.0, 0.0]])
    code = POSTERIOR.code(output)
    np.testing.assert_allclose(jnp.linalg.norm(code.direction, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(code.concentration, [0, MAX_CONCENTRATION, np.log(2)], rtol=1e-6)

    def total(output):
        code = POSTERIOR.code(output)
        z = POSTERIOR.sample(jax.random.key(0), code)
        return jnp.sum(POSTERIOR.log_density(code, z) + POSTERIOR.divergence(code)) + jnp.sum(z)

    value, gradient = jax.value_and_grad(total)(output)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    z = POSTERIOR.sample_prior(jax.random.key(0), (4, 3))
    np.testing.assert_allclose(jnp.linalg.norm(z, axis=1), 1, rtol=1e-6)


def test_wrong_outputs_are_refused():
    for shape in ((5, 2), (5, 4, 3), (3,)):
        with pytest.raises(ValueError, match=r"\[batch, units \+ 1\] with two"):
            POSTERIOR.code(jnp.zeros(shape))
