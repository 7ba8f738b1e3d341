"""Log-likelihood log p(x) of latent-variable models, estimated by importance sampling."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer
from aejax.keys import typed_key
from aejax.objectives import Objective, forward, noiseless
from aejax.posteriors import LogPrior, Posterior, importance_weighted_bound, log_weight
from aejax.types import Array, BatchLike, KeyLike, Params


class LogLikelihood(NamedTuple):
    """Importance-sampled log p(x) of each example, in nats, with the accuracy of the estimate.

    value:             log (1/K) Σ_k w_k, a lower bound of log p(x) in expectation.
    elbo:              mean of log w_k, an estimate of the evidence lower bound.
    effective_samples: (Σ_k w_k)²/Σ_k w_k², between 1 and K.
    variance:          variance of `value` over keys, to first order in 1/K; NaN for K = 1.
    bias:              expectation of `value` minus log p(x), to first order; NaN for K = 1.
    """

    value: Float[Array, " batch"]
    elbo: Float[Array, " batch"]
    effective_samples: Float[Array, " batch"]
    variance: Float[Array, " batch"]
    bias: Float[Array, " batch"]


class MeanWithError(NamedTuple):
    """A mean over examples.

    mean:           mean of the values.
    standard_error: standard deviation over examples, divided by √examples.
    """

    mean: Float[Array, ""]
    standard_error: Float[Array, ""]


def log_likelihood(
    objective: Objective,
    params: Params,
    batch: BatchLike,
    key: KeyLike,
    *,
    posterior: Posterior,
    samples: int = 5000,
    block_size: int = 50,
    prior: LogPrior | None = None,
) -> LogLikelihood:
    """Importance-sampled log p(x) of each example, from K samples of q(z | x), in log space.

    log p̂(x) = log (1/K) Σ_k w_k,  log w_k = log p(x | z_k) + log p(z_k) − log q(z_k | x).

    A scan over blocks of samples bounds the memory, to `block_size` × batch outputs of the decoder
    and K × batch log weights. With v = Var(w)/E[w]², the bias of the estimate is about −v/(2K) and
    its variance v/K (delta method). Both are estimated from the same weights, so they are reliable
    only where `effective_samples` is large. The function is pure and can be jitted with static
    settings.

    Args:
        objective: objective with the model and −log p(x | z) as loss; augmentation (such as a
            binarisation of x), noise and penalties are not used.
        params: parameters of the model.
        batch: a `Batch`, or x alone, as the objective takes it.
        key: PRNG key of the samples. The result depends on the block size by rounding only.
        posterior: family of the posterior, that of the model.
        samples: number of samples K, at least 1.
        block_size: number of samples that are decoded at once, at least 1.
        prior: (model, params, z) -> log p(z), [batch] (default: the posterior's standard prior).

    Returns:
        The `LogLikelihood`. Those of several batches, each with its key, can be concatenated.

    Raises:
        ValueError: for less than 1 sample or a block size below 1; as `forward`.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> objective = aejax.objective(aejax.variational((6, 2)), aejax.losses.bernoulli)
        >>> params = objective.model.init(jax.random.key(0))
        >>> found = aejax.evaluation.log_likelihood(
        ...     objective, params, jnp.zeros((5, 6)), jax.random.key(1), posterior=posterior,
        ...     samples=100)
        >>> found.value.shape
        (5,)

    Source: Burda, Grosse & Salakhutdinov 2016; Nowozin 2018 (bias and variance).
    """
    samples, block_size = as_integer("samples", samples), as_integer("block_size", block_size)
    if samples < 1 or block_size < 1:
        raise ValueError(
            f"samples and block_size must be at least 1, got {samples} and {block_size}"
        )
    key_pass, key_samples = jax.random.split(typed_key(key))
    record = forward(noiseless(objective), params, batch, key_pass)

    def log_weights(key: Array) -> Array:
        z = posterior.sample(key, record.code)
        return log_weight(objective.loss, posterior, record, z, prior=prior)

    keys = jax.random.split(key_samples, samples)
    return _estimate(jax.lax.map(log_weights, keys, batch_size=min(block_size, samples)))


def mean_with_error(values: Float[Array, " examples"]) -> MeanWithError:
    """Mean over examples with its standard error.

    For `LogLikelihood.value`, the standard error contains both the spread of the examples and the
    variance of the estimates, if the samples of the examples are independent; it does not contain
    the bias.

    Args:
        values: one value per example, at least two.

    Returns:
        The `MeanWithError`.

    Raises:
        ValueError: for fewer than two examples.
    """
    examples = values.shape[0]
    if examples < 2:
        raise ValueError(f"a standard error needs at least two examples, got {examples}")
    return MeanWithError(jnp.mean(values), jnp.std(values, ddof=1) / examples**0.5)


def _estimate(log_weights: Float[Array, "samples batch"]) -> LogLikelihood:
    samples = log_weights.shape[0]
    squares = importance_weighted_bound(2 * log_weights)
    value = importance_weighted_bound(log_weights)
    effective = jnp.clip(samples * jnp.exp(2 * value - squares), 1, samples)
    if samples > 1:  # s²/(K w̄²), with the unbiased variance s² of the weights
        variance = (samples / effective - 1) / (samples - 1)
    else:
        variance = jnp.full_like(effective, jnp.nan)
    return LogLikelihood(
        value=value,
        elbo=jnp.mean(log_weights, axis=0),
        effective_samples=effective,
        variance=variance,
        bias=-variance / 2,
    )
