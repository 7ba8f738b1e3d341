"""Divergence of the posterior q(z | x) from the prior: in closed form, or from one sample."""

import jax.numpy as jnp

from aejax.hyperparameters import check_range
from aejax.posteriors import LogPrior, Posterior, is_sample
from aejax.types import Array, Pass, Penalty


def divergence(posterior: Posterior, *, free_bits: float | Array = 0.0) -> Penalty:
    """KL divergence of the posterior from the standard prior, in closed form and in nats.

    With free bits λ > 0, the divergence of a unit, averaged over the batch, costs nothing below λ:

    Ω = Σ_l max(λ, mean_b KL_bl).

    With weight 1, the loss −log p(x | z) and `perturbation=posterior.sample`, the objective without
    free bits is the negative evidence lower bound; with weight β, that of a β-VAE.

    Args:
        posterior: family of the posterior, that of the model.
        free_bits: λ in nats per unit, 0 or more.

    Returns:
        The penalty: one value per example, [batch], or with free bits a scalar for the batch.

    Raises:
        ValueError: for a concrete negative or infinite λ.

    Source: Kingma & Welling 2014, eq. 10; Higgins et al. 2017 (β); Kingma et al. 2016 (free bits).
    """
    check_range("free_bits", free_bits, 0, float(jnp.finfo(jnp.float32).max))
    no_bits = isinstance(free_bits, int | float) and free_bits == 0

    def penalty(record: Pass) -> Array:
        values = posterior.divergence(record.code)
        if no_bits:
            return jnp.sum(values, axis=range(1, values.ndim))
        mean = jnp.mean(values, axis=0)
        return jnp.sum(jnp.maximum(mean, jnp.asarray(free_bits, mean.dtype)))

    return penalty


def sampled_divergence(posterior: Posterior, *, prior: LogPrior | None = None) -> Penalty:
    """Estimate log q(z | x) − log p(z) of the divergence, from the sample z of the forward pass.

    It is unbiased for any prior, also one with parameters; its gradient is as well. Without noise,
    as in validation, z is drawn from the key of the penalties.

    Args:
        posterior: family of the posterior, that of the model.
        prior: (model, params, z) -> log p(z), [batch] (default: the posterior's standard prior).

    Returns:
        The penalty, one value per example: [batch].

    Source: Kingma & Welling 2014, eq. 6.
    """

    def penalty(record: Pass) -> Array:
        sampled = is_sample(record.latent)
        z = record.latent if sampled else posterior.sample(record.key, record.code)
        log_prior = (
            posterior.log_prior(z) if prior is None else prior(record.model, record.params, z)
        )
        return posterior.log_density(record.code, z) - log_prior

    return penalty
