"""Score (gradient of the log density) estimated by a denoising autoencoder."""

import sys

import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.types import Array


def score_estimate(
    x_hat: Float[Array, "*shape"], x_corrupted: Float[Array, "*shape"], *, sigma: float | Array
) -> Float[Array, "*shape"]:
    """Estimate (x̂ − x̃)/σ² of ∇ log p_σ(x̃), the score of the data convolved with N(0, σ² I).

    Exact for x̂ = E[x | x̃] (Tweedie's identity), which a denoiser trained with
    `corruptions.gaussian(sigma=σ)` and `losses.squared` approximates. Other losses and corruptions
    have other optima, for which the result is not a score.

    Args:
        x_hat: reconstruction of x̃ by the denoiser (`aejax.reconstruct`).
        x_corrupted: points x̃ at which the score is estimated.
        sigma: standard deviation σ > 0 of the noise in training.

    Returns:
        The estimate, with x̃'s shape.

    Raises:
        ValueError: for a concrete σ that is not above 0, or not finite.

    Source: Vincent 2011, §4; Alain & Bengio 2014, theorem 1.
    """
    check_range("sigma of the denoiser's noise", sigma, sys.float_info.min, sys.float_info.max)
    return (x_hat - x_corrupted) / jnp.square(jnp.asarray(sigma, x_corrupted.dtype))
