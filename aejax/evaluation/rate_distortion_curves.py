"""Rate–distortion curves of generative models by annealed importance sampling."""

from collections.abc import Callable
from math import log
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.keys import typed_key
from aejax.objectives import Objective, forward, noiseless, reconstruction_losses
from aejax.posteriors import Posterior
from aejax.types import Array, BatchLike, Key, KeyLike, Params

TARGET_ACCEPTANCE = 0.65
"""Acceptance to which step sizes are adapted, near the optimum of Hamiltonian dynamics."""

ADAPTATION = 0.02
"""Relative change of the step size from one temperature to the next."""

Density = Callable[[Array], tuple[Array, Array]]
"""z [chains, batch, *units] -> log density up to a constant, and D: [chains, batch] each."""


class RateDistortionCurve(NamedTuple):
    """Rate and distortion of each example at each inverse temperature β, in nats.

    rate:          estimate of KL(q_β ‖ p), −log Ẑ_β − β × distortion.
    distortion:    estimate of E_{q_β} D(x, z), a weighted mean over chains.
    log_partition: log Ẑ_β, a lower bound of log E_p exp(−β D) in expectation; it estimates log p(x)
                   at β = 1, if the loss is −log p(x | z).
    acceptance:    fraction of the proposals that are accepted at each β.
    """

    rate: Float[Array, "steps batch"]
    distortion: Float[Array, "steps batch"]
    log_partition: Float[Array, "steps batch"]
    acceptance: Float[Array, "steps batch"]


def annealed_rate_distortion(
    objective: Objective,
    params: Params,
    batch: BatchLike,
    key: KeyLike,
    *,
    posterior: Posterior,
    betas: Float[Array, " steps"],
    chains: int = 16,
    leapfrog_steps: int = 10,
    step_size: float | Array = 0.2,
) -> RateDistortionCurve:
    """Rate–distortion curve of a decoder and its prior, from one annealed run over β.

    The encoder does not matter: of all q(z | x), the one that minimises rate + β distortion is
    q_β ∝ p(z) exp(−β D(x, z)), with the loss of the objective as distortion D, so that

    R(β) = −log Z_β − β E_{q_β} D,  Z_β = E_p exp(−β D).

    Chains start from the prior, and each makes one step of Hamiltonian Monte Carlo at each β. Their
    weights estimate Z_β without bias at every β, and so log Z_β from below. A run with other
    chains, which adapts the step sizes, precedes the run that is returned.

    Args:
        objective: objective with the model and the loss; augmentation, noise and penalties are
            not used.
        params: parameters of the model.
        batch: a `Batch`, or x alone, as the objective takes it.
        key: PRNG key of the chains.
        posterior: family with the standard prior p(z), of real vectors (not those on a sphere).
        betas: positive inverse temperatures in ascending order, hundreds of them; the first one is
            small, less than 1/D.
        chains: number of chains for each example, at least 1.
        leapfrog_steps: number of leapfrog steps of a proposal, at least 1.
        step_size: first step size of the adaptation, a scalar.

    Returns:
        The `RateDistortionCurve`, with one point for each β.

    Raises:
        ValueError: for fewer than 1 chain or step, or a concrete step size outside [1e-6, 10]; as
            `forward`.

    Source: Huang et al. 2020; Neal 2001; Neal 2011 (Hamiltonian Monte Carlo).
    """
    chains = as_integer("chains", chains)
    leapfrog_steps = as_integer("leapfrog_steps", leapfrog_steps)
    if chains < 1 or leapfrog_steps < 1:
        raise ValueError(
            f"chains and leapfrog_steps must be at least 1, got {chains} and {leapfrog_steps}"
        )
    check_range("step_size", step_size, 1e-6, 10)
    key_pass, key_adapted, key_run = jax.random.split(typed_key(key), 3)
    record = forward(noiseless(objective), params, batch, key_pass)
    point = posterior.point(record.code)

    def distortion(z: Array) -> Array:
        output = objective.model.decode(params, z)
        return reconstruction_losses(objective.loss, record._replace(output=output))

    def prior_sample(key: Key) -> Array:
        return posterior.sample_prior(key, point.shape).astype(point.dtype)

    annealing = _Annealing(
        jax.vmap(prior_sample), jax.vmap(posterior.log_prior), jax.vmap(distortion), leapfrog_steps
    )
    betas = betas.astype(point.dtype)
    constant = jnp.full((len(betas), len(point)), step_size, point.dtype)
    _, sizes = _anneal(annealing, key_adapted, betas, constant, chains, adapt=True)
    curve, _ = _anneal(annealing, key_run, betas, sizes, chains, adapt=False)
    return curve


class _Annealing(NamedTuple):
    """The functions of z [chains, batch, *units], and the length of a proposal."""

    sample_prior: Callable[[Array], Array]
    log_prior: Callable[[Array], Array]
    distortion: Callable[[Array], Array]
    leapfrog_steps: int


class _Chains(NamedTuple):
    """State of the chains: z, D(x, z) and log weight of each, and the step size, [batch]."""

    z: Array
    distortion: Array
    log_weight: Array
    step_size: Array


def _anneal(
    annealing: _Annealing, key: Key, betas: Array, sizes: Array, chains: int, *, adapt: bool
) -> tuple[RateDistortionCurve, Array]:
    """The curve, and the step sizes that were used, [steps, batch]."""
    key_prior, key_moves = jax.random.split(key)
    z = annealing.sample_prior(jax.random.split(key_prior, chains))
    found = annealing.distortion(z)
    start = _Chains(z, found, jnp.zeros_like(found), sizes[0])
    increments = jnp.diff(betas, prepend=jnp.zeros_like(betas[:1]))

    def step(state: _Chains, given: tuple[Array, ...]) -> tuple[_Chains, tuple[Array, ...]]:
        key, beta, increment, size = given
        size = state.step_size if adapt else size
        log_weight = state.log_weight - increment * state.distortion

        def density(z: Array) -> tuple[Array, Array]:
            found = annealing.distortion(z)
            return annealing.log_prior(z) - beta * found, found

        z, found, accepted = _transition(key, density, state.z, size, annealing.leapfrog_steps)
        acceptance = jnp.mean(accepted.astype(size.dtype), axis=0)
        factor = jnp.where(acceptance > TARGET_ACCEPTANCE, 1 + ADAPTATION, 1 - ADAPTATION)
        log_partition = jax.nn.logsumexp(log_weight, axis=0) - log(chains)
        mean = jnp.sum(jax.nn.softmax(log_weight, axis=0) * found, axis=0)
        rate = -log_partition - beta * mean
        state = _Chains(z, found, log_weight, size * factor.astype(size.dtype))
        return state, (rate, mean, log_partition, acceptance, size)

    keys = jax.random.split(key_moves, len(betas))
    _, (*curve, used) = jax.lax.scan(step, start, (keys, betas, increments, sizes))
    return RateDistortionCurve(*curve), used


_Values = tuple[Array, Array, Array]
"""Log density, distortion, and gradient of the log density."""

_Trajectory = tuple[Array, Array, _Values]
"""Position, momentum, and the values at the position."""


def _transition(
    key: Key, density: Density, z: Array, step_size: Array, leapfrog_steps: int
) -> tuple[Array, Array, Array]:
    """One step of Hamiltonian Monte Carlo: z, its distortion, and whether it was accepted."""
    key_momentum, key_accept = jax.random.split(key)
    size = step_size.reshape(-1, *[1] * (z.ndim - 2))

    def evaluate(z: Array) -> _Values:
        def total(z: Array) -> tuple[Array, tuple[Array, Array]]:
            log_p, found = density(z)
            return jnp.sum(log_p), (log_p, found)

        (_, (log_p, found)), gradient = jax.value_and_grad(total, has_aux=True)(z)
        return log_p, found, gradient

    def leapfrog(state: _Trajectory, _: None) -> tuple[_Trajectory, None]:
        z, momentum, values = state
        momentum = momentum + size / 2 * values[2]
        z = z + size * momentum
        values = evaluate(z)
        return (z, momentum + size / 2 * values[2], values), None

    momentum = jax.random.normal(key_momentum, z.shape, z.dtype)
    before = evaluate(z)
    start = (z, momentum, before)
    (proposal, last, after), _ = jax.lax.scan(leapfrog, start, length=leapfrog_steps)
    energies = [
        jnp.sum(jnp.square(p), axis=range(2, z.ndim)) / 2 - values[0]
        for p, values in ((momentum, before), (last, after))
    ]
    uniform = jax.random.uniform(key_accept, before[0].shape, z.dtype)
    accepted = jnp.log(uniform) < energies[0] - energies[1]  # False for an energy that is NaN
    mask = accepted.reshape(*accepted.shape, *[1] * (z.ndim - 2))
    return jnp.where(mask, proposal, z), jnp.where(accepted, after[1], before[1]), accepted
