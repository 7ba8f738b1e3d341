"""Priors of runs are recognised from their parameters alone, as those that were trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import posteriors, priors
from aejax.runs.trained_priors import trained_prior

UNITS, POSTERIOR = 3, posteriors.diagonal_gaussian()
PRIORS = {
    "mixture": priors.gaussian_mixture(units=UNITS, components=4),
    "pseudo-inputs": priors.vamp_prior(POSTERIOR, jnp.linspace(0, 1, 10).reshape(2, 5)),
    "flow": priors.autoregressive_flow(units=UNITS, hidden=7, layers=3),
}


@pytest.mark.parametrize("name", PRIORS)
def test_the_recognised_prior_has_the_same_densities_and_samples(name):
    prior = PRIORS[name]
    model = priors.with_prior(aejax.variational((5, UNITS)), prior)
    keys = iter(jax.random.split(jax.random.key(0), 99))
    params = jax.tree.map(
        lambda leaf: leaf + 0.3 * jax.random.normal(next(keys), leaf.shape, leaf.dtype),
        model.init(next(keys)),
    )
    found = trained_prior(params, POSTERIOR)
    z = jax.random.normal(next(keys), (6, UNITS))
    np.testing.assert_allclose(
        found.log_density(model, params, z), prior.log_density(model, params, z), rtol=1e-6
    )
    key = next(keys)
    np.testing.assert_allclose(
        found.sample(model, params, key, 8), prior.sample(model, params, key, 8), rtol=1e-6
    )


@pytest.mark.parametrize(
    "params", [(), {}, {"prior": {}}, {"prior": {"mean": 1}}, {"prior": {"layer_1": {}}}]
)
def test_other_parameters_are_of_no_known_prior(params):
    assert trained_prior(params, POSTERIOR) is None
