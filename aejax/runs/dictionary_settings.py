"""Settings of a sparse dictionary, in place of those of the layers of an autoencoder."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Annotated, Literal

import tyro

DictionaryActivation = Literal["relu", "topk", "batchtopk", "jumprelu", "gated", "matching-pursuit"]

PENALISED = "relu", "gated", "jumprelu"
"""Activations whose sparsity is that of a penalty, not of a selection of k units."""

FEATURES_PER_ACTIVE_UNIT, MIN_ACTIVE_UNITS, MAX_ACTIVE_UNITS = 16, 4, 32
"""Number of features for each active unit, and bounds, where k is left open."""

MIN_FEATURES_PER_ACTIVE_UNIT = 4
"""Least number of features for each active unit, which bounds the default k of few features."""

SPARSITY = {"gated": 2.0, "jumprelu": 1.0}
"""Default weight of the penalty of an activation, for inputs of mean square 1 per feature."""

L1_BY_NORM = 1 / 4
"""Default weight of relu's L1 divided by √features, the norm of an input, to which codes scale."""


@dataclass(frozen=True)
class DictionarySettings:
    """Settings of a sparse dictionary; those that are None are chosen from the data."""

    activation: Annotated[DictionaryActivation | None, tyro.conf.arg(metavar="NAME")] = None
    """train a sparse dictionary with --code units (latents) and this activation: relu, topk,
    batchtopk, jumprelu, gated or matching-pursuit; None: an autoencoder of layers"""
    k: int | None = None
    """number of active units of each example (topk, matching-pursuit) or on average (batchtopk,
    jumprelu, as the target of its penalty); None: a sixteenth of the features, 4 to 32, but at most
    a quarter of them"""
    sparsity: float | None = None
    """weight of the penalty of relu (L1 of the code, weighted by decoder norms), gated (L1 of the
    gate) or jumprelu (squared deviation from k); None: for
    relu a quarter of the square root of the number of features, gated 2, jumprelu 1"""
    prefixes: tuple[int, ...] = ()
    """Matryoshka: numbers of units, ascending, that also reconstruct alone; none if empty"""
    auxk: float | None = None
    """weight of AuxK, by which dead units learn the residual; None: 1/32 for topk and batchtopk,
    else 0"""
    auxk_units: int | None = None
    """maximum number of dead units that reconstruct the residual; None: half the features"""
    dead_after: int = 256
    """number of steps without activity after which a unit is dead"""
    unit_norm: bool = True
    """keep the directions of the units at norm 1"""
    threshold: float = 1.0
    """initial threshold of jumprelu, on the scale of normalised inputs"""
    bandwidth: float = 1.0
    """width of the kernel that estimates the gradient of the thresholds of jumprelu"""


def complete_dictionary(
    settings: DictionarySettings, features: int, units: int
) -> DictionarySettings:
    """Choose the settings of a dictionary that a user has left open.

    Args:
        settings: settings of the user.
        features: number of features of the data.
        units: number of units.

    Returns:
        Settings without open ones, of which those that the activation does not use are None or 0.

    Raises:
        ValueError: for a setting outside its range, or one that the activation does not use.
    """
    check_dictionary(settings)
    activation = settings.activation
    if activation is None:
        return settings
    k, sparsity, auxk = settings.k, settings.sparsity, settings.auxk
    if k is None and _uses_k(settings):
        k = min(units, _default_k(features))
    if sparsity is None and activation in PENALISED:
        sparsity = SPARSITY.get(activation, round(L1_BY_NORM * sqrt(features), 3))
    if auxk is None:
        auxk = 1 / 32 if activation in ("topk", "batchtopk") else 0.0
    auxk_units, prefixes = settings.auxk_units, (0, *settings.prefixes)
    if auxk and auxk_units is None:
        auxk_units = min(units, max(1, features // 2))
    for name, number in {"k": k, "auxk-units": auxk_units, "prefixes": max(prefixes)}.items():
        if number is not None and number > units:
            raise ValueError(
                f"dictionary.{name} is {number}, more than the {units} units: say a smaller "
                f"--dictionary.{name}, or a larger --code"
            )
    return replace(settings, k=k, sparsity=sparsity, auxk=auxk, auxk_units=auxk_units)


def _default_k(features: int) -> int:
    """A sixteenth of the features within bounds, but at most a quarter of them, rounded up."""
    k = max(MIN_ACTIVE_UNITS, min(MAX_ACTIVE_UNITS, features // FEATURES_PER_ACTIVE_UNIT))
    return min(k, -(-features // MIN_FEATURES_PER_ACTIVE_UNIT))


def _uses_k(settings: DictionarySettings) -> bool:
    """Whether a dictionary has a number of active units: of JumpReLU, its penalty has it."""
    if settings.activation == "jumprelu":
        return settings.sparsity != 0
    return settings.activation not in ("relu", "gated")


def check_dictionary(settings: DictionarySettings) -> None:
    """Refuse settings that contradict each other, before any data are read.

    Args:
        settings: settings of the user, or complete ones.

    Raises:
        ValueError: for a setting outside its range, or one that the activation does not use.
    """
    activation = settings.activation
    if activation is None:
        if settings != DictionarySettings():
            raise ValueError(
                "the settings of a dictionary need its activation: say --dictionary.activation, "
                "such as topk"
            )
        return
    uses = {
        "k": _uses_k(settings),
        "sparsity": activation in PENALISED,
        "auxk": activation != "matching-pursuit",
    }
    for name, is_used in uses.items():
        if not is_used and getattr(settings, name):
            penalised = "jumprelu without sparsity" if activation == "jumprelu" else activation
            raise ValueError(f"dictionary.{name} has no effect with {penalised}: leave it out")
    for name, least in {"k": 1, "sparsity": 0, "auxk": 0, "auxk_units": 1, "dead_after": 1}.items():
        value, option = getattr(settings, name), name.replace("_", "-")
        if value is not None and not least <= value < float("inf"):
            raise ValueError(f"dictionary.{option} must be {least} or more, got {value}")
