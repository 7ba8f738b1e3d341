"""Maximum mean discrepancy: loops in NumPy, and its closed form for Gaussians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import losses, penalties

RANDOM = np.random.default_rng(0)


def multiquadratic(squared: float, units: int) -> float:
    constants = [2 * units * scale for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    return sum(constant / (constant + squared) for constant in constants)


def rbf(squared: float, units: int) -> float:
    return np.exp(-squared / (2 * 0.8**2))


KERNELS = {
    "multiquadratic": (penalties.inverse_multiquadratic(), multiquadratic),
    "rbf": (penalties.gaussian_kernel(bandwidth=0.8), rbf),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_estimate_is_a_loop_over_pairs(name, x64):
    kernel, reference = KERNELS[name]
    a, b = RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(5, 3)) + 1

    def mean(first, second, skip):
        values = [
            reference(((p - q) ** 2).sum(), 3)
            for i, p in enumerate(first)
            for j, q in enumerate(second)
            if not (skip and i == j)
        ]
        return np.mean(values)

    expected = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    found = penalties.squared_mean_discrepancy(jnp.asarray(a), jnp.asarray(b), kernel=kernel)
    assert float(found) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_the_estimate_is_unbiased_for_gaussians(shift):
    """The expected kernel of N(m, I) and N(0, I) is (s²/(s² + 2))^(n/2) exp(−‖m‖²/(2(s² + 2)))."""
    units, width = 2, 0.8**2
    within = (width / (width + 2)) ** (units / 2)
    exact = 2 * within * (1 - np.exp(-(shift**2) / (2 * (width + 2))))
    kernel = penalties.gaussian_kernel(bandwidth=0.8)

    @jax.jit
    @jax.vmap
    def estimate(key):
        a, b = jax.random.normal(key, (2, 20, units))
        shifted = a + jnp.array([shift, 0.0])
        return penalties.squared_mean_discrepancy(shifted, b, kernel=kernel)

    found = np.asarray(estimate(jax.random.split(jax.random.key(0), 3000)))
    assert found.mean() == pytest.approx(exact, abs=5 * found.std() / np.sqrt(len(found)))
    assert found.std() / np.sqrt(len(found)) < 0.002


MODEL = aejax.dense((6, 2), code_activation=jax.nn.identity)


def record_of(x, **options):
    objective = aejax.objective(MODEL, losses.squared, **options)
    params = MODEL.init(jax.random.key(0))
    return aejax.forward(objective, params, aejax.Batch(x), jax.random.key(1))


def test_the_penalty_compares_the_latent_with_samples_of_the_prior():
    x = jnp.asarray(RANDOM.normal(size=(40, 6)), jnp.float32)
    record = record_of(x)
    kernel = penalties.gaussian_kernel(bandwidth=1.0)
    prior = jax.random.uniform(record.key, (40, 2))
    penalty = penalties.maximum_mean_discrepancy(
        kernel=kernel, sample=lambda key, shape: jax.random.uniform(key, shape)
    )
    expected = penalties.squared_mean_discrepancy(record.latent, prior, kernel=kernel)
    assert float(penalty(record)) == pytest.approx(float(expected), rel=1e-5)
    far = record._replace(latent=record.latent + 5)
    assert penalties.maximum_mean_discrepancy()(far) > penalties.maximum_mean_discrepancy()(record)


def test_unsuitable_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 2 points"):
        penalties.maximum_mean_discrepancy()(record_of(jnp.ones((1, 6))))
    record = record_of(jnp.ones((2, 6)))
    with pytest.raises(ValueError, match="one array of the latent"):
        penalties.maximum_mean_discrepancy()(record._replace(latent={"a": record.latent}))
    with pytest.raises(ValueError, match="bandwidth of gaussian_kernel"):
        penalties.gaussian_kernel(bandwidth=0.0)
    with pytest.raises(ValueError, match="at least one scale"):
        penalties.inverse_multiquadratic(scales=())
