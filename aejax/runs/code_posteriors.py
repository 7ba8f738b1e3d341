"""Posterior and prior of a variational run, from the types of its code and parameters."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from aejax.posteriors import (
    CholeskyGaussian,
    Gaussian,
    Posterior,
    VonMisesFisher,
    diagonal_gaussian,
    full_covariance_gaussian,
    von_mises_fisher,
)
from aejax.priors import Prior
from aejax.runs.code_units import array_of, code_like
from aejax.runs.inference import TrainedRun
from aejax.runs.trained_priors import has_prior, trained_prior

PRIOR_DEVIATIONS = 3.0
"""Standard deviations of a normal prior up to which a unit is varied."""

MOMENT_SAMPLES = 2000
"""Number of samples of a trained prior from which its mean and deviation are estimated."""


class PriorMoments(NamedTuple):
    """Mean and standard deviation of each unit under the prior, flat, [units]."""

    mean: np.ndarray
    deviation: np.ndarray


def posterior_of_run(run: TrainedRun) -> Posterior | None:
    """Family of the posterior that the code of a run is.

    Args:
        run: trained run.

    Returns:
        The family; None for another code, or for a model with a prior that is not of
        `aejax.priors`, which no run describes.
    """
    posterior = _posterior(run)
    if posterior is None or not has_prior(run.params):
        return posterior
    return None if trained_prior(run.params, posterior) is None else posterior


def trained_prior_of_run(run: TrainedRun) -> Prior | None:
    """Prior that was trained with a run.

    Args:
        run: trained run.

    Returns:
        The prior; None for a run that is not variational, or with the standard prior.
    """
    posterior = posterior_of_run(run)
    return None if posterior is None else trained_prior(run.params, posterior)


def is_gaussian(run: TrainedRun) -> bool:
    """Whether the code of a run is a Gaussian posterior, whose units have no bounds.

    Args:
        run: trained run.

    Returns:
        True if so.
    """
    return isinstance(code_like(run), Gaussian | CholeskyGaussian)


def prior_samples(run: TrainedRun) -> Callable[[jax.Array, int], jax.Array] | None:
    """Make the function that draws latents from the prior of a run, trained or standard.

    Args:
        run: trained run.

    Returns:
        (key, count) -> latents [count, *units]; None for a run that is not variational, or has a
        prior that is not of `aejax.priors`.
    """
    posterior, prior = posterior_of_run(run), trained_prior_of_run(run)
    if posterior is None:
        return None
    if prior is not None:
        return lambda key, count: prior.sample(run.objective.model, run.params, key, count)
    _, *units = array_of(code_like(run)).shape
    return lambda key, count: posterior.sample_prior(key, (count, *units))


def prior_moments(run: TrainedRun) -> PriorMoments | None:
    """Mean and standard deviation of each unit under a prior without bounds.

    Args:
        run: trained run.

    Returns:
        0 and 1 for the standard normal prior, estimates from samples for a trained one; None for
        a prior on the sphere, or a run without a prior that is described.
    """
    draw = prior_samples(run)
    if draw is None or not is_gaussian(run):
        return None
    if trained_prior_of_run(run) is None:
        units = array_of(code_like(run)).size
        return PriorMoments(np.zeros(units), np.ones(units))
    z = np.asarray(draw(jax.random.key(0), MOMENT_SAMPLES), np.float64).reshape(MOMENT_SAMPLES, -1)
    return PriorMoments(z.mean(axis=0), z.std(axis=0))


def prior_range(run: TrainedRun) -> tuple[np.ndarray, np.ndarray] | None:
    """Range of each unit under the prior.

    Args:
        run: trained run.

    Returns:
        Three standard deviations on both sides of the mean of a prior without bounds, −1 and 1 for
        one on the sphere, each [units]; None for a run without a prior that is described.
    """
    if posterior_of_run(run) is None:
        return None
    moments = prior_moments(run)
    if moments is None:
        end = np.ones(array_of(code_like(run)).size)
        return -end, end
    reach = PRIOR_DEVIATIONS * moments.deviation
    return moments.mean - reach, moments.mean + reach


def prior_sampler(run: TrainedRun) -> Callable[[int], np.ndarray] | None:
    """Make the function that samples the prior.

    Args:
        run: trained run.

    Returns:
        seed -> latent [units]; None for a run without a prior that is described.
    """
    draw = prior_samples(run)
    return None if draw is None else lambda seed: np.asarray(draw(jax.random.key(seed), 1)).ravel()


def _posterior(run: TrainedRun) -> Posterior | None:
    match code_like(run):
        case Gaussian():
            return diagonal_gaussian()
        case CholeskyGaussian():
            return full_covariance_gaussian()
        case VonMisesFisher():
            return von_mises_fisher()
    return None
