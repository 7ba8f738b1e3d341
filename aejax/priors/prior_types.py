"""The record of a prior p(z), and the model that contains its parameters."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from aejax.contracts import describe
from aejax.repr_text import record_text
from aejax.types import Array, Autoencoder, Key, Params


class Prior(NamedTuple):
    """A prior of the code as pure functions; its parameters are params["prior"].

    init:        key -> parameters of the prior.
    log_density: (model, params, z [batch, *units]) -> log p(z) in nats, [batch]; an argument of
                 `penalties.sampled_divergence` and `penalties.importance_weighted`.
    sample:      (model, params, key, count) -> z [count, *units], the input of `model.decode`.
    """

    init: Callable[[Key], Params]
    log_density: Callable[[Autoencoder, Params, Array], Array]
    sample: Callable[[Autoencoder, Params, Key, int], Array]

    def __repr__(self) -> str:
        return record_text(self)


def with_prior(model: Autoencoder, prior: Prior) -> Autoencoder:
    """Add the parameters of a prior to those of a model, so that both are trained together.

    Args:
        model: autoencoder, usually variational, whose parameters are a dict.
        prior: prior of its code.

    Returns:
        An `Autoencoder` with the parameters of the model and {"prior"}; `encode` and `decode` are
        those of the model.

    Raises:
        ValueError: from `init`, if the parameters are no dict or have a "prior".

    Example:
        >>> import aejax, jax
        >>> from aejax import losses, penalties, posteriors, priors
        >>> posterior = posteriors.diagonal_gaussian()
        >>> prior = priors.gaussian_mixture(units=2, components=5)
        >>> model = priors.with_prior(aejax.variational((8, 16, 2)), prior)
        >>> terms = {"divergence": (
        ...     1.0, penalties.sampled_divergence(posterior, prior=prior.log_density))}
        >>> objective = aejax.objective(
        ...     model, losses.bernoulli, perturbation=posterior.sample, penalties=terms)
        >>> params = model.init(jax.random.key(0))
        >>> z = prior.sample(model, params, jax.random.key(1), 3)
        >>> model.decode(params, z).shape
        (3, 8)
    """

    def init(key: Key) -> Params:
        key_model, key_prior = jax.random.split(key)
        params = model.init(key_model)
        if not isinstance(params, dict) or "prior" in params:
            raise ValueError(
                f"a prior is added to a dict of parameters without 'prior', got {describe(params)}"
            )
        return params | {"prior": prior.init(key_prior)}

    return model._replace(init=init)
