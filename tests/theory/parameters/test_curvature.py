"""Minimum curvatures of ordered codes against Hessians by JAX, at random spectra and decays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.theory.parameters.curvature import decayed_curvature, nested_curvature, ordered_gains


@jax.jit
def decayed(values, kernel, decays):
    """Half of the smallest Hessian eigenvalue of J at W_e = W_dᵀ."""

    def loss(flat):
        encoder, decoder = flat.reshape(2, *kernel.shape)
        rest = jnp.sqrt(values)[:, None] * (jnp.eye(len(values)) - encoder @ decoder.T)
        return jnp.sum(rest**2) + jnp.sum(decays * (encoder**2 + decoder**2))

    start = jnp.stack([kernel, kernel])
    return jnp.linalg.eigvalsh(jax.hessian(loss)(start.ravel()))[0] / 2


@jax.jit
def nested(values, survival):
    """Half of each Hessian eigenvalue at V_kᵀ, over decoder rows with their best encoder."""

    def loss(flat):
        rows = flat.reshape(len(survival), len(values))
        both = jnp.minimum(survival[:, None], survival) * (rows @ rows.T)
        crossed = survival[:, None] * rows
        saved = jnp.linalg.solve(both, crossed) @ (values[:, None] * crossed.T)
        return jnp.sum(values) - jnp.trace(saved)

    rows = jnp.eye(len(survival), len(values))
    return jnp.linalg.eigvalsh(jax.hessian(loss)(rows.ravel())) / 2


def spectrum(generator, code):
    """k kept eigenvalues, the next one, and a zero."""
    drawn = np.sort(generator.uniform(0.02, 1.0, size=code + 1))[::-1]
    return np.append(drawn, 0.0)


@pytest.mark.parametrize("code", [1, 3])
def test_the_curvature_of_unequal_l2_is_that_of_jax_within_and_beyond_the_bound(code, x64):
    """Decays of every size, so that each block determines the minimum in some case."""
    generator = np.random.default_rng(code)
    for _ in range(60):
        values = spectrum(generator, code)
        scale = values[generator.integers(code)] * generator.choice([0.03, 0.5, 0.9, 1.2])
        decays = np.sort(scale * generator.uniform(0.8, 1.1, size=code))
        gains = ordered_gains(values[:code], decays)
        np.testing.assert_allclose(gains, np.maximum(0, 1 - decays / values[:code]), atol=1e-15)
        kernel = np.eye(code + 2)[:, :code] * np.sqrt(gains)
        expected = float(decayed(values, kernel, decays))
        found = decayed_curvature(values[:code], values[code], decays)
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize("code", [1, 3])
def test_the_curvature_of_nested_dropout_is_that_of_jax_up_to_row_lengths(code, x64):
    generator = np.random.default_rng(code)
    for _ in range(40):
        values = spectrum(generator, code)
        chances = generator.dirichlet(generator.choice([0.5, 2.0]) * np.ones(code)) + 1e-3
        survival = np.cumsum(chances[::-1])[::-1] / chances.sum()
        curvatures = np.asarray(nested(values, survival))
        np.testing.assert_allclose(curvatures[:code], 0, atol=1e-11)
        found = nested_curvature(values[:code], values[code], survival)
        assert found == pytest.approx(curvatures[code], rel=1e-6)


def test_an_optimum_that_is_not_isolated_has_zero_curvature():
    equal = np.array([2.0, 1.0, 1.0])
    assert nested_curvature(equal, 0.5, np.array([1.0, 0.7, 0.2])) == 0
    assert nested_curvature(np.array([2.0, 1.0]), 1.0, np.array([1.0, 0.5])) == 0
    assert decayed_curvature(np.array([2.0, 1.0]), 1.0, np.array([0.2, 0.4])) == pytest.approx(0)
    within = decayed_curvature(np.array([2.0, 1.5]), 1.0, np.array([0.4, 0.4]))
    assert within == pytest.approx(0, abs=1e-12)
