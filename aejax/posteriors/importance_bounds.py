"""Importance-weighted bounds of log p(x) from log weights log w_k = log p(x, z_k) − log q(z_k | x).

The first functions are plain functions of arrays [samples, batch]. The others are estimators with
gradients of their own: they receive a function that computes the log weights, and choose which of
their inputs have a gradient.
"""

from collections.abc import Callable
from math import log
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.types import Array


@runtime_checkable
class LogWeights(Protocol):
    """Log weights of the samples of a batch, with chosen gradients.

    decoder: whether the parameters of decoder and prior have a gradient.
    path:    whether the samples z have one.
    density: whether the parameters of the density q(z | x) have one, at fixed z.
    """

    def __call__(self, *, decoder: bool = True, path: bool = True, density: bool = True) -> Array:
        """Log weights, [samples, batch]."""
        ...


Bound = Callable[[LogWeights], Array]
"""Log weights -> lower bound of log p(x) of each example, [batch], with its gradient."""


def importance_weighted_bound(log_weights: Float[Array, "samples *batch"]) -> Array:
    """Importance-weighted bound log (1/K) Σ_k w_k of each example, in nats.

    It grows with K in expectation, from the evidence lower bound (K = 1) to log p(x).

    Args:
        log_weights: log w_k, independent samples on the first axis.

    Returns:
        The bound, with the shape of the batch.

    Source: Burda, Grosse & Salakhutdinov 2016, eq. 8.
    """
    return jax.nn.logsumexp(log_weights, axis=0) - log(log_weights.shape[0])


def mean_of_bounds(log_weights: Float[Array, "samples *batch"], *, groups: int) -> Array:
    """Mean of the importance-weighted bounds of M groups of K/M samples.

    Args:
        log_weights: log w_k, K independent samples on the first axis.
        groups: number of groups M, a divisor of K.

    Returns:
        The bound, with the shape of the batch.

    Raises:
        ValueError: if the number of groups does not divide the number of samples.

    Source: Rainforth et al. 2018 (MIWAE).
    """
    samples = log_weights.shape[0]
    if groups < 1 or samples % groups:
        raise ValueError(f"{samples} samples cannot be divided into {groups} groups of equal size")
    grouped = log_weights.reshape(samples // groups, groups, *log_weights.shape[1:])
    return jnp.mean(importance_weighted_bound(grouped), axis=0)


def combined_bound(log_weights: Float[Array, "samples *batch"], *, beta: float | Array) -> Array:
    """Combination β mean_k log w_k + (1 − β) log (1/K) Σ_k w_k of the evidence bound with IWAE's.

    Args:
        log_weights: log w_k, independent samples on the first axis.
        beta: weight β of the evidence lower bound, in [0, 1].

    Returns:
        The bound, with the shape of the batch.

    Source: Rainforth et al. 2018 (CIWAE).
    """
    evidence, tighter = jnp.mean(log_weights, axis=0), importance_weighted_bound(log_weights)
    return tighter + jnp.asarray(beta, tighter.dtype) * (evidence - tighter)


def iwae() -> Bound:
    """Importance-weighted bound of all samples, with its pathwise gradient.

    Returns:
        The bound, for `penalties.importance_weighted`.

    Source: Burda, Grosse & Salakhutdinov 2016.
    """
    return lambda log_weights: importance_weighted_bound(log_weights())


def miwae(*, groups: int) -> Bound:
    """Mean of the importance-weighted bounds of groups of samples.

    Args:
        groups: number of groups M, a divisor of the number of samples.

    Returns:
        The bound, for `penalties.importance_weighted`.

    Raises:
        ValueError: if `groups` is not an integer; from the bound, if it is no divisor.

    Source: Rainforth et al. 2018.
    """
    groups = as_integer("groups of miwae", groups)
    return lambda log_weights: mean_of_bounds(log_weights(), groups=groups)


def ciwae(*, beta: float | Array) -> Bound:
    """Combination of the evidence lower bound, with weight β, and the importance-weighted bound.

    Args:
        beta: weight β, in [0, 1].

    Returns:
        The bound, for `penalties.importance_weighted`.

    Raises:
        ValueError: for a concrete β outside [0, 1].

    Source: Rainforth et al. 2018.
    """
    check_range("beta of ciwae", beta, 0, 1)
    return lambda log_weights: combined_bound(log_weights(), beta=beta)


def piwae(*, groups: int) -> Bound:
    """Importance-weighted bound whose encoder is trained on the mean of the bounds of groups.

    The value, and the gradient of decoder and prior, are those of `iwae`; the gradient of the
    encoder is that of `miwae`, whose signal-to-noise ratio is higher. A step evaluates the log
    weights twice; the compiler shares the forward pass.

    Args:
        groups: number of groups M, a divisor of the number of samples.

    Returns:
        The bound, for `penalties.importance_weighted`.

    Raises:
        ValueError: if `groups` is not an integer; from the bound, if it is no divisor.

    Source: Rainforth et al. 2018.
    """
    groups = as_integer("groups of piwae", groups)

    def bound(log_weights: LogWeights) -> Array:
        value = importance_weighted_bound(log_weights(path=False, density=False))
        return value + _gradient_only(mean_of_bounds(log_weights(decoder=False), groups=groups))

    return bound


def doubly_reparametrised() -> Bound:
    """Importance-weighted bound with the doubly reparametrised gradient of the encoder.

    With the normalised weights v_k, the encoder's gradient is Σ_k v_k² ∂log w_k/∂z_k · ∂z_k/∂φ,
    without a derivative of log q(z | x) with respect to its parameters. It has the expectation of
    the gradient of `iwae`, and a signal-to-noise ratio that does not decrease with K. The value,
    and the gradient of decoder and prior, are those of `iwae`.

    Returns:
        The bound, for `penalties.importance_weighted`; the samples must be reparametrised, as
        those of all `aejax.posteriors` are.

    Source: Tucker et al. 2019.
    """

    def bound(log_weights: LogWeights) -> Array:
        generative = log_weights(path=False, density=False)
        pathwise = log_weights(decoder=False, density=False)
        weights = jax.lax.stop_gradient(jnp.square(jax.nn.softmax(generative, axis=0)))
        return importance_weighted_bound(generative) + _gradient_only(
            jnp.sum(weights * pathwise, 0)
        )

    return bound


def _gradient_only(value: Array) -> Array:
    """Zero, with the gradient of the value."""
    return value - jax.lax.stop_gradient(value)
