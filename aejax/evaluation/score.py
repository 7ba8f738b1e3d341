"""A denoising autoencoder as an estimate of the score, the gradient of the data's log density."""

import sys

import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.types import Array


def score_estimate(
    x_hat: Float[Array, "*shape"], x_corrupted: Float[Array, "*shape"], *, sigma: float | Array
) -> Float[Array, "*shape"]:
    """(x̂ − x̃)/σ², which estimates ∇ log p_σ(x̃), the score of the data convolved with N(0, σ² I).

    Exact where x̂ = E[x | x̃] (Tweedie's identity), which is what a denoiser trained with
    `corruptions.gaussian(sigma=σ)` and `losses.squared` approaches. Another loss or corruption has
    another optimum, from which this is no score.

    Args:
        x_hat: the denoiser's reconstruction of x̃ (`aejax.reconstruct`).
        x_corrupted: x̃, where the score is wanted.
        sigma: σ > 0 of the training's noise.

    Returns:
        The estimate, shaped like x̃.

    Raises:
        ValueError: for a concrete σ that is not above 0, or not finite.

    Source: Vincent 2011, §4; Alain & Bengio 2014, theorem 1.
    """
    check_range("sigma of the denoiser's noise", sigma, sys.float_info.min, sys.float_info.max)
    return (x_hat - x_corrupted) / jnp.square(jnp.asarray(sigma, x_corrupted.dtype))
