"""Objective of a variational autoencoder from the settings of a run."""

from aejax import augmentations, penalties, posteriors, registry
from aejax.models import variational
from aejax.posteriors import Posterior
from aejax.runs.configuration import Training
from aejax.runs.unused_settings import refuse_unused
from aejax.types import Augmentation, Autoencoder, Loss, Penalty

UNUSED = {
    "tied": "--tied",
    "channels": "--channels",
    "refinement_steps": "--refinement-steps",
    "linear_path": "--linear-path",
}
"""Settings of an autoencoder that a variational one does not have, and their options."""


def is_variational(training: Training) -> bool:
    """Whether the settings are those of a variational autoencoder.

    Args:
        training: settings of a run.

    Returns:
        True if they name a posterior.
    """
    return training.variational.posterior is not None


def posterior_of(training: Training) -> Posterior:
    """The posterior that the settings name.

    Args:
        training: settings of a variational autoencoder.

    Returns:
        The posterior.
    """
    match training.variational.posterior:
        case "full-covariance":
            return posteriors.full_covariance_gaussian()
        case "von-mises-fisher":
            return posteriors.von_mises_fisher()
    return posteriors.diagonal_gaussian()


def make_variational(training: Training, sizes: tuple[int, ...]) -> Autoencoder:
    """Make the model of flattened examples.

    Args:
        training: settings of a variational autoencoder.
        sizes: numbers of features, hidden units and units of z.

    Returns:
        The model.

    Raises:
        ValueError: for settings that it has no use for.
    """
    refuse_unused(training, UNUSED, "a variational autoencoder")
    return variational(
        sizes,
        posterior=posterior_of(training),
        decoder_sizes=training.decoder_sizes or None,
        activation=registry.activation(training.activation),
    )


def variational_penalties(training: Training, loss: Loss) -> dict[str, tuple[float, Penalty]]:
    """The divergence, or the bound of several samples.

    Args:
        training: settings of a variational autoencoder.
        loss: loss of the objective.

    Returns:
        "divergence" or "bound" with its weight.
    """
    settings, posterior = training.variational, posterior_of(training)
    if settings.samples > 1:
        term = penalties.importance_weighted(loss, posterior, samples=settings.samples)
        return {"bound": (1.0, term)}
    term = penalties.divergence(posterior, free_bits=settings.free_bits)
    return {"divergence": (settings.beta, term)}


def binarisation(training: Training) -> Augmentation | None:
    """Binarisation of the examples, None without.

    Args:
        training: settings of a run.

    Returns:
        The augmentation.
    """
    return augmentations.binarise() if training.variational.binarise else None
