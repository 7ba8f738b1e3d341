"""Settings of a discrete code: its quantiser, number of values, and penalties."""

from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Literal

import tyro

from aejax.models.quantised import MAX_VALUES

QuantiserName = Literal["vector", "residual", "finite-scalar", "lookup-free"]

CHANNELS, LEVELS, CODEWORDS, DEPTH = 4, (8, 5, 5, 5), 256, 4
"""Defaults: units per vector, levels of its units, codewords of a codebook, and codebooks."""

USES = {
    "codewords": ("vector", "residual"),
    "depth": ("residual",),
    "channels": ("vector", "residual", "lookup-free"),
    "levels": ("finite-scalar",),
    "commitment": ("vector", "residual", "lookup-free"),
    "decay": ("vector", "residual"),
    "restart_every": ("vector", "residual"),
    "entropy": ("lookup-free",),
}
"""Quantisers that have each setting."""

DEFAULTS = {
    "codewords": CODEWORDS,
    "depth": DEPTH,
    "channels": CHANNELS,
    "levels": LEVELS,
    "commitment": 0.25,
    "decay": 0.99,
    "entropy": 0.1,
}
"""Values of the settings that are left open, for the quantisers that have them."""


@dataclass(frozen=True)
class QuantisationSettings:
    """Settings of a discrete code, which a quantiser turns on; those that are None are chosen."""

    quantiser: Annotated[QuantiserName | None, tyro.conf.arg(metavar="NAME")] = None
    """make the code discrete: vector (VQ-VAE) or residual, with codebooks, finite-scalar (FSQ) or
    lookup-free (signs); each group of units becomes one index; None: a continuous code"""
    channels: int | None = None
    """number of units of a group, of which --code is a multiple (vector, residual, lookup-free);
    None: 4, of finite-scalar the number of levels"""
    codewords: int | None = None
    """number of codewords of a codebook (vector, residual); None: 256"""
    depth: int | None = None
    """number of codebooks, each for what the others left over (residual); None: 4"""
    levels: tuple[int, ...] = ()
    """number of levels of each unit of a group (finite-scalar); if empty: 8 5 5 5"""
    commitment: float | None = None
    """weight of the squared distance of the code from its discrete value (vector, residual,
    lookup-free); None: 0.25"""
    decay: float | None = None
    """decay of the exponential averages that are the codewords (vector, residual); None: 0.99"""
    restart_every: int | None = None
    """number of epochs between restarts of codewords that few codes use, as codes of examples
    (vector, residual); None: never"""
    entropy: float | None = None
    """weight of the entropy of each code, less that of all codes (lookup-free); None: 0.1"""


def complete_quantisation(settings: QuantisationSettings, units: int) -> QuantisationSettings:
    """Choose the settings of a discrete code that a user has left open.

    Args:
        settings: settings of the user.
        units: number of code units.

    Returns:
        Settings without open ones; those that the quantiser does not have stay None.

    Raises:
        ValueError: for a setting outside its range, one that the quantiser does not have, or units
            that are no multiple of a group.
    """
    check_quantisation(settings)
    if settings.quantiser is None:
        return settings
    group = group_size(settings)
    if units % group:
        raise ValueError(
            f"the quantiser makes one index of each {group} units, but there are {units}: say "
            f"--code {max(1, units // group) * group}"
        )
    chosen = {
        name: value
        for name, value in DEFAULTS.items()
        if settings.quantiser in USES[name] and getattr(settings, name) in (None, ())
    }
    return replace(settings, **chosen)


def group_size(settings: QuantisationSettings) -> int:
    """Number of units that become one index.

    Args:
        settings: settings with a quantiser.

    Returns:
        The number of channels or levels.
    """
    if settings.quantiser == "finite-scalar":
        return len(settings.levels or LEVELS)
    return settings.channels or CHANNELS


def count_values(settings: QuantisationSettings) -> int:
    """Number of values of an index.

    Args:
        settings: settings with a quantiser.

    Returns:
        The number of codewords, or of combinations of levels or signs.
    """
    match settings.quantiser:
        case "finite-scalar":
            return prod(settings.levels or LEVELS)
        case "lookup-free":
            return 2 ** group_size(settings)
    return settings.codewords or CODEWORDS


def check_quantisation(settings: QuantisationSettings) -> None:
    """Refuse settings that contradict each other, before any data are read.

    Args:
        settings: settings of the user, or complete ones.

    Raises:
        ValueError: for a setting outside its range, or one that the quantiser does not have.
    """
    if settings.quantiser is None:
        if settings != QuantisationSettings():
            raise ValueError(
                "the settings of a discrete code need its quantiser: say --quantised.quantiser, "
                "such as vector"
            )
        return
    for name, quantisers in USES.items():
        if settings.quantiser not in quantisers and getattr(settings, name) not in (None, ()):
            option = name.replace("_", "-")
            raise ValueError(
                f"quantised.{option} has no effect with {settings.quantiser}: leave it out"
            )
    for name in ("channels", "codewords", "depth", "restart_every"):
        value, option = getattr(settings, name), name.replace("_", "-")
        if value is not None and value < 1:
            raise ValueError(f"quantised.{option} must be 1 or more, got {value}")
    for name in ("commitment", "entropy"):
        value = getattr(settings, name)
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(f"quantised.{name} must be 0 or more, got {value}")
    if settings.decay is not None and not 0 <= settings.decay < 1:
        raise ValueError(f"quantised.decay must lie in [0, 1), got {settings.decay}")
    if settings.levels and min(settings.levels) < 3:
        raise ValueError(f"quantised.levels must be 3 or more each, got {settings.levels}")
    if count_values(settings) >= MAX_VALUES:
        raise ValueError(
            "an index has fewer than 2³¹ values: say fewer --quantised.channels or levels, and "
            "more --code units"
        )
