"""Settings of a variational autoencoder: its bound, posterior and binarisation."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

PosteriorName = Literal["diagonal", "full-covariance", "von-mises-fisher"]


@dataclass(frozen=True)
class VariationalSettings:
    """Settings of a variational autoencoder, which a posterior turns on."""

    posterior: Annotated[PosteriorName | None, tyro.conf.arg(metavar="NAME")] = None
    """train a variational autoencoder with this posterior of the code: diagonal or full-covariance
    (Gaussian), or von-mises-fisher (on the sphere); None: an autoencoder"""
    beta: float = 1.0
    """weight of the divergence of the posterior from the prior"""
    free_bits: float = 0.0
    """nats per unit, averaged over a batch, below which the divergence costs nothing"""
    samples: int = 1
    """number of samples of the importance-weighted bound; 1: the evidence lower bound"""
    binarise: bool = False
    """sample binary examples from values in [0, 1] at every step"""


def check_variational(settings: VariationalSettings) -> None:
    """Refuse settings that contradict each other, before any data are read.

    Args:
        settings: settings of the user.

    Raises:
        ValueError: for a setting outside its range, or one that has no effect.
    """
    if settings.posterior is None:
        if settings != VariationalSettings():
            raise ValueError(
                "the settings of a variational autoencoder need its posterior: say "
                "--variational.posterior, such as diagonal"
            )
        return
    for name, least in {"beta": 0, "free_bits": 0, "samples": 1}.items():
        value, option = getattr(settings, name), name.replace("_", "-")
        if not least <= value < float("inf"):
            raise ValueError(f"variational.{option} must be {least} or more, got {value}")
    if settings.samples > 1 and (settings.beta != 1 or settings.free_bits):
        raise ValueError(
            "an importance-weighted bound has no weight of a divergence: leave out "
            "--variational.beta and --variational.free-bits, or --variational.samples"
        )
