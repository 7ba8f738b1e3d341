"""Training on importance-weighted bounds: several samples of z for each example."""

import jax
import jax.numpy as jnp

from aejax.hyperparameters import as_integer
from aejax.objectives import reconstruction_losses
from aejax.posteriors import LogPrior, Posterior, is_sample, log_weight
from aejax.posteriors.importance_bounds import Bound, iwae
from aejax.types import Array, Loss, Pass, Penalty


def importance_weighted(
    loss: Loss,
    posterior: Posterior,
    *,
    samples: int,
    bound: Bound | None = None,
    prior: LogPrior | None = None,
) -> Penalty:
    """Replace the reconstruction loss by minus an importance-weighted bound of log p(x).

    log w_k = log p(x | z_k) + log p(z_k) − log q(z_k | x),  k = 1, …, K,
    Ω_b = −bound(log w_b) − ℓ_b,

    where ℓ is the reconstruction loss of the objective, so that with weight 1, J = −mean_b bound.
    The first sample is that of the forward pass (`perturbation=posterior.sample`); the others are
    drawn by `vmap`, so that K samples are decoded in all. In a pass without noise, as in
    validation, all K are drawn from the key of the penalties, so that J is minus the bound as well.

    Args:
        loss: −log p(x | z) of each element with its constants, the loss of the objective.
        posterior: family of the posterior, that of the model; its samples are reparametrised.
        samples: number of samples K, at least 1.
        bound: log weights -> bound (default: `posteriors.iwae()`), one of `posteriors.iwae`,
            `doubly_reparametrised`, `miwae`, `piwae` and `ciwae`.
        prior: (model, params, z) -> log p(z), [batch] (default: the posterior's standard prior).

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `samples` is not an integer of at least 1.

    Example:
        >>> import aejax
        >>> from aejax import losses, penalties, posteriors
        >>> posterior = posteriors.diagonal_gaussian()
        >>> bound = penalties.importance_weighted(losses.bernoulli, posterior, samples=50)
        >>> objective = aejax.objective(
        ...     aejax.variational((64, 8)), losses.bernoulli, perturbation=posterior.sample,
        ...     penalties={"bound": (1.0, bound)})

    Source: Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    samples = as_integer("samples of importance_weighted", samples)
    if samples < 1:
        raise ValueError(f"importance_weighted needs at least 1 sample, got {samples}")
    bound = iwae() if bound is None else bound

    def penalty(record: Pass) -> Array:
        given, others = _latents(posterior, record, samples)

        def log_weights(*, decoder: bool = True, path: bool = True, density: bool = True) -> Array:
            chosen = record._replace(
                params=record.params if decoder else jax.lax.stop_gradient(record.params),
                code=record.code if density else jax.lax.stop_gradient(record.code),
            )

            def weight(z: Array) -> Array:
                z = z if path else jax.lax.stop_gradient(z)
                return log_weight(loss, posterior, chosen, z, prior=prior)

            # The given sample without `vmap`, so that XLA decodes it once, in the forward pass.
            return jnp.concatenate([*(weight(z)[None] for z in given), jax.vmap(weight)(others)])

        return -bound(log_weights) - reconstruction_losses(loss, record)

    return penalty


def _latents(posterior: Posterior, record: Pass, samples: int) -> tuple[list[Array], Array]:
    """The sample of the forward pass, if it has one, and the others: [samples, batch, *units]."""
    given = [record.latent] if is_sample(record.latent) else []
    keys = jax.random.split(record.key, samples - len(given))
    return given, jax.vmap(lambda key: posterior.sample(key, record.code))(keys)
