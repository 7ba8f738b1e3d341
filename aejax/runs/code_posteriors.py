"""Posterior and prior of a variational run, from the type of its code."""

from collections.abc import Callable

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
from aejax.runs.code_units import array_of, code_like
from aejax.runs.inference import TrainedRun

PRIOR_DEVIATIONS = 3.0
"""Standard deviations of a normal prior up to which a unit is varied."""


def posterior_of_run(run: TrainedRun) -> Posterior | None:
    """Family of the posterior that the code of a run is.

    Args:
        run: trained run.

    Returns:
        The family, with the standard prior; None for another code, or for a model with the
        parameters of a prior, which no run describes.
    """
    if isinstance(run.params, dict) and "prior" in run.params:
        return None
    match code_like(run):
        case Gaussian():
            return diagonal_gaussian()
        case CholeskyGaussian():
            return full_covariance_gaussian()
        case VonMisesFisher():
            return von_mises_fisher()
    return None


def is_gaussian(run: TrainedRun) -> bool:
    """Whether the code of a run is a Gaussian posterior, whose prior has a standard deviation of 1.

    Args:
        run: trained run.

    Returns:
        True if so.
    """
    return isinstance(code_like(run), Gaussian | CholeskyGaussian)


def prior_range(run: TrainedRun) -> tuple[float, float] | None:
    """Range of a unit under the prior.

    Args:
        run: trained run.

    Returns:
        Three standard deviations of a normal prior on both sides of 0, −1 and 1 for a prior on the
        sphere; None for a run that is not variational, or has a prior of its own.
    """
    if posterior_of_run(run) is None:
        return None
    end = PRIOR_DEVIATIONS if is_gaussian(run) else 1.0
    return -end, end


def prior_sampler(run: TrainedRun) -> Callable[[int], np.ndarray] | None:
    """Make the function that samples the prior.

    Args:
        run: trained run.

    Returns:
        seed -> latent [units]; None for a run that is not variational, or has a prior of its own.
    """
    posterior = posterior_of_run(run)
    if posterior is None:
        return None
    shape = array_of(code_like(run)).shape
    return lambda seed: np.asarray(posterior.sample_prior(jax.random.key(seed), shape)).ravel()
