"""Gaussian mixtures with Gaussian noise: score and optimal denoiser in closed form.

`posterior_mean` is the reference for denoisers trained on samples of a known mixture.
"""

import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.types import Array, Key


class GaussianMixture(NamedTuple):
    """The density p(x) = Σ_k π_k N(x; μ_k, Σ_k).

    weights:     π, positive, with sum one.
    means:       μ.
    covariances: Σ, symmetric and positive definite (semi-definite if noise is added).
    """

    weights: Float[Array, " components"]
    means: Float[Array, "components features"]
    covariances: Float[Array, "components features features"]


def convolve_gaussian(mixture: GaussianMixture, sigma: float | Array) -> GaussianMixture:
    """Distribution of x̃ = x + σ ε, ε ~ N(0, I): p_σ = p * N(0, σ² I), with covariances Σ_k + σ² I.

    Args:
        mixture: distribution of x.
        sigma: standard deviation σ ≥ 0.

    Returns:
        The distribution of x̃.

    Raises:
        ValueError: if σ is concrete, and negative or not finite.
    """
    check_range("sigma", sigma, 0, sys.float_info.max)
    noise = jnp.square(sigma) * jnp.eye(mixture.means.shape[1], dtype=mixture.means.dtype)
    return mixture._replace(covariances=mixture.covariances + noise)


def sample(key: Key, mixture: GaussianMixture, count: int) -> Float[Array, "examples features"]:
    """Draw x ~ p.

    Args:
        key: PRNG key.
        mixture: p.
        count: number of draws.

    Returns:
        The draws, one per row.
    """
    key_component, key_noise = jax.random.split(key)
    component = jax.random.categorical(key_component, jnp.log(mixture.weights), shape=(count,))
    noise = jax.random.normal(key_noise, (count, mixture.means.shape[1]), mixture.means.dtype)
    factors = jnp.linalg.cholesky(mixture.covariances)
    return mixture.means[component] + jnp.einsum("eij,ej->ei", factors[component], noise)


def log_density(
    mixture: GaussianMixture, x: Float[Array, "examples features"]
) -> Float[Array, " examples"]:
    """log p(x), in nats.

    Args:
        mixture: p, with positive definite covariances.
        x: points of evaluation.

    Returns:
        One value per point.
    """
    return jax.nn.logsumexp(_log_joint(mixture, x), axis=1)


def score(
    mixture: GaussianMixture, x: Float[Array, "examples features"]
) -> Float[Array, "examples features"]:
    """∇_x log p(x) = −Σ_k r_k(x) Σ_k⁻¹ (x − μ_k), with the responsibilities r.

    Args:
        mixture: p, with positive definite covariances.
        x: points of evaluation.

    Returns:
        The score at each point.
    """
    responsibilities = jax.nn.softmax(_log_joint(mixture, x), axis=1)
    return -jnp.einsum("ek,eki->ei", responsibilities, _precision_product(mixture, x))


def posterior_mean(
    mixture: GaussianMixture,
    x_corrupted: Float[Array, "examples features"],
    *,
    sigma: float | Array,
) -> Float[Array, "examples features"]:
    """E[x | x̃] = Σ_k r_k(x̃) (μ_k + Σ_k (Σ_k + σ² I)⁻¹ (x̃ − μ_k)): the optimal denoiser.

    No function of x̃ has a smaller mean squared error. r are the responsibilities for x̃ under p_σ.
    Tweedie's identity: (E[x | x̃] − x̃)/σ² = ∇ log p_σ(x̃).

    Args:
        mixture: distribution of x.
        x_corrupted: x̃ = x + σ ε.
        sigma: σ > 0, or 0 if the covariances are positive definite.

    Returns:
        The mean of x at each x̃.

    Source: Efron 2011 (Tweedie); Alain & Bengio 2014, theorem 1, for small σ.
    """
    noisy = convolve_gaussian(mixture, sigma)
    responsibilities = jax.nn.softmax(_log_joint(noisy, x_corrupted), axis=1)
    shifts = jnp.einsum("kij,ekj->eki", mixture.covariances, _precision_product(noisy, x_corrupted))
    return jnp.einsum("ek,eki->ei", responsibilities, mixture.means + shifts)


def parzen_posterior_mean(
    x: Float[Array, "examples features"],
    x_corrupted: Float[Array, "points features"],
    *,
    sigma: float | Array,
) -> Float[Array, "points features"]:
    """E[x | x̃] for x uniform over the examples: their mean with weights ∝ N(x̃; x_i, σ² I).

    The optimal denoiser for the examples: the minimiser of the denoising objective over all
    functions. By Tweedie's identity it gives the score of their kernel density estimate.

    Args:
        x: examples.
        x_corrupted: points x̃ of evaluation.
        sigma: σ > 0.

    Returns:
        The mean at each x̃.

    Source: Vincent 2011, §4.
    """

    def posterior_at(point: Array) -> Array:
        distances = jnp.sum(jnp.square(point - x), axis=1)
        return jax.nn.softmax(-distances / (2 * jnp.square(sigma))) @ x

    return jax.lax.map(posterior_at, x_corrupted, batch_size=256)


def _precision_product(mixture: GaussianMixture, x: Array) -> Array:
    """Σ_k⁻¹ (x − μ_k): [examples, components, features]."""
    offsets = x[:, None] - mixture.means
    return jnp.linalg.solve(mixture.covariances, offsets[..., None])[..., 0]


def _log_joint(mixture: GaussianMixture, x: Array) -> Array:
    """log π_k + log N(x; μ_k, Σ_k): [examples, components]."""
    offsets = x[:, None] - mixture.means
    distances = jnp.sum(offsets * _precision_product(mixture, x), axis=2)
    _, log_determinants = jnp.linalg.slogdet(2 * jnp.pi * mixture.covariances)
    return jnp.log(mixture.weights) - (distances + log_determinants) / 2
