"""Score estimates: exact for the optimal denoiser, close for a trained one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, evaluation, losses, training
from aejax.theory.analysis import gaussian_mixtures as mixtures

SIGMA = 0.5


def mixture() -> mixtures.GaussianMixture:
    return mixtures.GaussianMixture(
        weights=jnp.asarray([0.6, 0.4]),
        means=jnp.asarray([[-1.0, 0.0], [1.0, 0.5]]),
        covariances=jnp.asarray([[[0.3, 0.1], [0.1, 0.2]], [[0.1, 0.0], [0.0, 0.4]]]),
    )


def test_the_optimal_denoiser_gives_the_exact_score(x64):
    law = mixture()
    x_corrupted = mixtures.sample(jax.random.key(0), mixtures.convolve_gaussian(law, SIGMA), 500)
    x_hat = mixtures.posterior_mean(law, x_corrupted, sigma=SIGMA)
    found = evaluation.score_estimate(x_hat, x_corrupted, sigma=SIGMA)
    expected = mixtures.score(mixtures.convolve_gaussian(law, SIGMA), x_corrupted)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_trained_denoiser_gives_the_mixtures_score_and_an_untrained_one_does_not():
    law = mixture()
    x = mixtures.sample(jax.random.key(1), law, 4000)
    objective = aejax.objective(
        aejax.dense((2, 64, 32), activation=jax.nn.gelu),
        losses.squared,
        corruption=corruptions.gaussian(sigma=SIGMA),
    )
    state, _ = training.fit(
        objective, optax.adam(3e-3), Batch(x), key=jax.random.key(2), epochs=20, batch_size=200
    )
    x_corrupted = mixtures.sample(jax.random.key(3), mixtures.convolve_gaussian(law, SIGMA), 4000)
    expected = mixtures.score(mixtures.convolve_gaussian(law, SIGMA), x_corrupted)

    def error(params) -> float:
        x_hat = aejax.reconstruct(objective, params, x_corrupted)
        found = evaluation.score_estimate(x_hat, x_corrupted, sigma=SIGMA)
        return float(jnp.sum((found - expected) ** 2) / jnp.sum(expected**2))

    assert error(state.params) < 0.05
    assert error(objective.model.init(jax.random.key(4))) > 0.5


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_an_invalid_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma of the denoiser's noise must lie in"):
        evaluation.score_estimate(jnp.ones(3), jnp.ones(3), sigma=sigma)
