"""Trained priors of runs, recognised by the names and shapes of their parameters."""

from typing import Any

from aejax.posteriors import Posterior
from aejax.priors import Prior, autoregressive_flow, gaussian_mixture, vamp_prior
from aejax.types import Params

MIXTURE, PSEUDO_INPUTS = {"logits", "mean", "log_variance"}, {"pseudo_inputs"}
"""Names of the parameters of a mixture of normal distributions and of a VampPrior."""


def has_prior(params: Params) -> bool:
    """Whether parameters contain those of a prior, as `priors.with_prior` adds them.

    Args:
        params: parameters of a model.

    Returns:
        True if so, whether the prior is recognised or not.
    """
    return isinstance(params, dict) and "prior" in params


def is_mixture(params: Params) -> bool:
    """Whether the prior in the parameters is `priors.gaussian_mixture`.

    Args:
        params: parameters of a model.

    Returns:
        True if so.
    """
    return has_prior(params) and _names(params["prior"]) == MIXTURE


def is_vamp_prior(params: Params) -> bool:
    """Whether the prior in the parameters is `priors.vamp_prior`.

    Args:
        params: parameters of a model.

    Returns:
        True if so.
    """
    return has_prior(params) and _names(params["prior"]) == PSEUDO_INPUTS


def trained_prior(params: Params, posterior: Posterior) -> Prior | None:
    """Make the prior of `aejax.priors` that the parameters of a model belong to.

    Args:
        params: parameters of a model, with those of its prior.
        posterior: family of the posterior of the model.

    Returns:
        The prior; None without one, or for one that is not of `aejax.priors`.
    """
    if is_mixture(params):
        components, units = params["prior"]["mean"].shape
        dtype = params["prior"]["mean"].dtype
        return gaussian_mixture(units=units, components=components, dtype=dtype)
    if is_vamp_prior(params):
        start = params["prior"]["pseudo_inputs"]
        return vamp_prior(posterior, start, dtype=start.dtype)
    layers = params["prior"] if has_prior(params) else {}
    if layers and _names(layers) == {f"layer_{index}" for index in range(len(layers))}:
        kernel = layers["layer_0"]["hidden"]["kernel"]
        units, hidden = kernel.shape
        return autoregressive_flow(
            units=units, hidden=hidden, layers=len(layers), dtype=kernel.dtype
        )
    return None


def _names(prior: Any) -> set[str]:
    return set(prior) if isinstance(prior, dict) else set()
