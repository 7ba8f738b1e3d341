"""Total correlation of the aggregate posterior, estimated from a batch."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.contracts import describe
from aejax.hyperparameters import as_integer, check_range
from aejax.posteriors import Gaussian, diagonal_gaussian, is_sample
from aejax.types import Array, Pass, Penalty


def total_correlation(*, examples: int) -> Penalty:
    """Total correlation KL(q(z) ‖ Π_l q(z_l)) of the mean posterior q(z) = mean_n q(z | x_n).

    Estimated by weighting within the batch: log q(z_i) ≈ log Σ_j q(z_i | x_j) − log(N M), and
    likewise for each unit, for M of N examples. With weight β − 1 beside a divergence of weight 1
    it is the β-TCVAE.

    Args:
        examples: number N of examples of the training data. It changes the value by the constant
            (units − 1) log N, and no gradient.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `examples` is less than 1; from the penalty, if the code is not that of
            `posteriors.diagonal_gaussian` with one axis of units.

    Source: Chen et al. 2018, §4.1.
    """
    examples = as_integer("examples of total_correlation", examples)
    check_range("examples of total_correlation", examples, 1, math.inf)

    def penalty(record: Pass) -> Array:
        code = record.code
        if not isinstance(code, Gaussian) or code.mean.ndim != 2:
            raise ValueError(
                "total_correlation needs the code of posteriors.diagonal_gaussian(), [batch, "
                f"units], got {describe(code)}"
            )
        z = record.latent
        if not is_sample(z):  # a pass without noise
            z = diagonal_gaussian().sample(record.key, code)
        return weighted_total_correlation(z, code.mean, code.log_variance, examples=examples)

    return penalty


def weighted_total_correlation(
    z: Float[Array, "batch units"],
    mean: Float[Array, "batch units"],
    log_variance: Float[Array, "batch units"],
    *,
    examples: int,
) -> Float[Array, " batch"]:
    """Estimate of log q(z_i) − Σ_l log q(z_il) for each sample, as `total_correlation`.

    Args:
        z: a sample of each posterior.
        mean: means of the Gaussian posteriors.
        log_variance: their log variances.
        examples: number N of examples of the training data.

    Returns:
        The estimates. Their mean is the total correlation, less its bias, plus (units − 1) log N.

    Source: Chen et al. 2018, §4.1 and appendix C.1 (minibatch-weighted sampling).
    """
    scaled = jnp.square(z[:, None] - mean) * jnp.exp(-log_variance)
    of_units = (scaled + log_variance + math.log(2 * math.pi)) / -2  # [sample, posterior, unit]
    log_count = jnp.asarray(math.log(examples * z.shape[0]), z.dtype)
    joint = jax.nn.logsumexp(jnp.sum(of_units, axis=2), axis=1) - log_count
    marginals = jax.nn.logsumexp(of_units, axis=1) - log_count
    return joint - jnp.sum(marginals, axis=1)
