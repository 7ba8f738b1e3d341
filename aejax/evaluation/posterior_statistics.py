"""Statistics of posteriors q(z | x) over a data set: active units, rate, aggregate posterior."""

from collections.abc import Callable
from math import log
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Bool, Float

from aejax.data.array_checks import check_finite
from aejax.keys import typed_key
from aejax.objectives import Objective, forward, noiseless, reconstruction_losses
from aejax.posteriors import Posterior
from aejax.types import Array, BatchLike, Code, KeyLike, Params


class AggregatePosterior(NamedTuple):
    """Decomposition of the rate E KL(q(z | x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)), in nats.

    Means over one sample z_i ~ q(z | x_i) of each of N examples. The aggregate posterior
    q(z) = E q(z | x) is replaced by a mean over the examples, with or without the example x_i.

    rate:                     mean of log q(z_i | x_i) − log p(z_i), which is unbiased.
    mutual_information_lower: with x_i: a lower bound of I(x; z) in expectation, at most log N.
    mutual_information_upper: without x_i: an upper bound of I(x; z) in expectation.
    divergence_lower:         without x_i: a lower bound of KL(q(z) ‖ p(z)) in expectation.
    divergence_upper:         with x_i: an upper bound of KL(q(z) ‖ p(z)) in expectation.
    """

    rate: Float[Array, ""]
    mutual_information_lower: Float[Array, ""]
    mutual_information_upper: Float[Array, ""]
    divergence_lower: Float[Array, ""]
    divergence_upper: Float[Array, ""]


class RateDistortion(NamedTuple):
    """Rate and distortion of each example, in nats; minus their sum is an estimate of the ELBO.

    rate:       KL(q(z | x) ‖ p(z)) from the standard prior, in closed form.
    distortion: −log p(x | z) of one sample z.
    """

    rate: Float[Array, " batch"]
    distortion: Float[Array, " batch"]


def active_units(
    mean: Float[Array, "examples *units"], *, threshold: float | Array = 0.01
) -> Bool[Array, "*units"]:
    """Units of z that depend on x: the variance over examples of E[z_l | x] exceeds a threshold.

    Args:
        mean: posterior means, `posterior.point(code)`.
        threshold: variance above which a unit is active.

    Returns:
        True for each active unit; their sum is the number of active units.

    Raises:
        ValueError: for fewer than 2 examples, or a concrete mean that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax import evaluation
        >>> evaluation.active_units(jnp.array([[1.0, 0.05], [-1.0, -0.05]])).tolist()
        [True, False]

    Source: Burda, Grosse & Salakhutdinov 2016.
    """
    if mean.shape[0] < 2:
        raise ValueError(f"a variance needs at least 2 examples, got means {list(mean.shape)}")
    if not isinstance(mean, Tracer):  # the variance NaN would not exceed the threshold
        check_finite(mean, "mean")
    return jnp.var(mean, axis=0) > threshold


def aggregate_posterior(
    posterior: Posterior,
    key: KeyLike,
    code: Code,
    *,
    log_prior: Callable[[Array], Array] | None = None,
    block_size: int = 100,
) -> AggregatePosterior:
    """Mutual information I(x; z) and divergence of the aggregate posterior, between two bounds.

    With log q̂(z_i) = log (1/N) Σ_j q(z_i | x_j) over all N examples,

    I ≥ mean_i log q(z_i | x_i) − log q̂(z_i),  KL(q(z) ‖ p(z)) ≤ mean_i log q̂(z_i) − log p(z_i),

    in expectation over examples and samples. With the mean over the N − 1 others, j ≠ i, both
    inequalities are reversed. The upper bound of I has a large variance where I exceeds log N. If
    the N examples themselves are the distribution of x, the first estimates are unbiased for it.

    Args:
        posterior: family of the posterior.
        key: PRNG key of the samples.
        code: code of N independent examples, at least 2.
        log_prior: z [batch, *units] -> log p(z), [batch] (default: the standard prior).
        block_size: number of samples z_i that are compared with all examples at once.

    Returns:
        The `AggregatePosterior`.

    Raises:
        ValueError: for fewer than two examples, or a block size below 1.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> posterior = aejax.posteriors.diagonal_gaussian()
        >>> code = posterior.code(jnp.zeros((5, 4)))
        >>> found = aejax.evaluation.aggregate_posterior(posterior, jax.random.key(0), code)
        >>> bool(abs(found.mutual_information_lower) < 1e-5)
        True

    Source: Hoffman & Johnson 2016 (decomposition); Poole et al. 2019 (bounds).
    """
    examples = len(jax.tree.leaves(code)[0])
    if examples < 2 or block_size < 1:
        raise ValueError(
            "aggregate_posterior needs at least 2 examples and a block size of at least 1, got "
            f"{examples} and {block_size}"
        )
    z = posterior.sample(typed_key(key), code)

    def densities(index: Array) -> Array:
        """log q(z_i | x_j) of all j: of j = i, and its log mean with and without j = i."""
        point = jnp.broadcast_to(z[index], z.shape)
        values = posterior.log_density(code, point)
        others = jnp.where(jnp.arange(examples) == index, -jnp.inf, values)
        sums = jax.nn.logsumexp(values), jax.nn.logsumexp(others)
        return jnp.stack([values[index], sums[0] - log(examples), sums[1] - log(examples - 1)])

    block_size = min(block_size, examples)
    found = jax.lax.map(densities, jnp.arange(examples), batch_size=block_size)
    own, every, others = jnp.mean(found, axis=0)
    prior = jnp.mean(posterior.log_prior(z) if log_prior is None else log_prior(z))
    return AggregatePosterior(own - prior, own - every, own - others, others - prior, every - prior)


def rate_and_distortion(
    objective: Objective, params: Params, batch: BatchLike, key: KeyLike, *, posterior: Posterior
) -> RateDistortion:
    """Rate KL(q(z | x) ‖ p(z)) and distortion −log p(x | z) of each example, in nats.

    Args:
        objective: objective with the model and −log p(x | z) as loss; augmentation (such as a
            binarisation of x), noise and penalties are not used.
        params: parameters of the model.
        batch: a `Batch`, or x alone, as the objective takes it.
        key: PRNG key of the sample z.
        posterior: family of the posterior, that of the model.

    Returns:
        The `RateDistortion`.

    Source: Alemi et al. 2018.
    """
    key_pass, key_sample = jax.random.split(typed_key(key))
    record = forward(noiseless(objective), params, batch, key_pass)
    output = objective.model.decode(params, posterior.sample(key_sample, record.code))
    rate = posterior.divergence(record.code)
    return RateDistortion(
        jnp.sum(rate, axis=range(1, rate.ndim)),
        reconstruction_losses(objective.loss, record._replace(output=output)),
    )
