"""The record of a family of posteriors q(z | x), and the functions that tell codes from samples."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aejax.contracts import describe
from aejax.repr_text import record_text
from aejax.types import Array, Autoencoder, Code, Key, Params

LogPrior = Callable[[Autoencoder, Params, Array], Array]
"""A prior: (model, params, z [batch, *units]) -> log p(z), [batch]. It may have parameters."""


class Posterior(NamedTuple):
    """A family of distributions q(z | x) whose parameters are the code of an encoder.

    A code is a record of arrays, with the batch first; a sample z is an array [batch, *units].
    All functions are pure and differentiable; samples are reparametrised, so that the gradient of
    an expectation is the expectation of the gradient.

    outputs:      number of units of z -> number of outputs of the encoder.
    code:         encoder output [batch, *axes, outputs] -> code, a record of arrays.
    sample:       (key, code) -> z, the `perturbation` of an objective.
    log_density:  (code, z) -> log q(z | x), [batch].
    point:        code -> one z per example, the mean or its direction, decoded without noise.
    divergence:   code -> KL(q(z | x) ‖ p(z)) from the standard prior, [batch, *units], or [batch]
                  if it is not a sum over units.
    log_prior:    z -> log p(z) of the standard prior, [batch].
    sample_prior: (key, shape [batch, *units]) -> z from the standard prior.
    """

    outputs: Callable[[int], int]
    code: Callable[[Array], Code]
    sample: Callable[[Key, Code], Array]
    log_density: Callable[[Code, Array], Array]
    point: Callable[[Code], Array]
    divergence: Callable[[Code], Array]
    log_prior: Callable[[Array], Array]
    sample_prior: Callable[[Key, Sequence[int]], Array]

    def __repr__(self) -> str:
        return record_text(self)


def refusing_other_codes(posterior: Posterior, kind: type, name: str) -> Posterior:
    """Let the functions of a posterior refuse codes that are not its own, while they are traced.

    Args:
        posterior: family of the posterior.
        kind: type of its code.
        name: name of the family in error messages.

    Returns:
        The posterior, whose functions of a code raise ValueError for a code of another type.
    """

    def own(code: Code) -> Code:
        if isinstance(code, kind):
            return code
        found = type(code).__name__ if isinstance(code, tuple) else describe(code)
        raise ValueError(
            f"posteriors.{name}() needs a code of type {kind.__name__}, got {found}: say "
            f"aejax.variational(…, posterior=posteriors.{name}()), and use the same posterior for "
            "the perturbation and the penalties"
        )

    return posterior._replace(
        sample=lambda key, code: posterior.sample(key, own(code)),
        log_density=lambda code, z: posterior.log_density(own(code), z),
        point=lambda code: posterior.point(own(code)),
        divergence=lambda code: posterior.divergence(own(code)),
    )


def is_sample(latent: Code) -> bool:
    """Whether a latent is a sample z, an array, and not the code of a pass without noise.

    Args:
        latent: `Pass.latent`, an array [batch, *units] or a code.

    Returns:
        True for an array.
    """
    return hasattr(latent, "shape")


def latent_point(posterior: Posterior, latent: Code) -> Array:
    """The array z that a decoder receives: the sample itself, or the point of a code.

    Args:
        posterior: family of the posterior.
        latent: a sample, an array [batch, *units], or a code.

    Returns:
        z, [batch, *units].
    """
    return latent if is_sample(latent) else posterior.point(latent)
