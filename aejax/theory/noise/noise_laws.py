"""Statistical tests of sampled noise: moments, distribution function and independence.

The expectation and standard error of each statistic are known; the distribution function has a
bound for every sample size (Massart 1990).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from aejax.theory.checking.problem import EPSILON

MAX_ERRORS = 6.0
"""Maximum deviation in standard errors; normal statistics exceed it with probability 2·10⁻⁹."""

ALPHA = 2e-9
"""Probability α that the distribution function of a correct sample exceeds its bound."""

Noise = Float64[np.ndarray, "draws rows features"]

NORMAL_MOMENTS = {1: (0.0, 1.0), 2: (1.0, 2.0), 3: (0.0, 15.0), 4: (3.0, 96.0)}
"""Power p -> mean and variance of zᵖ for z ~ N(0, 1)."""

SUM_AXES = {
    "elements": (0,),
    "columns": (1,),
    "rows": (2,),
    "draws": (1, 2),
}
"""Name of a sum of the noise -> axes that are summed."""


class Deviation(NamedTuple):
    """A statistic of a sample.

    name:  name of the statistic.
    size:  distance from its expectation.
    bound: maximum distance attributed to chance.
    """

    name: str
    size: float | np.floating
    bound: float | np.floating

    @property
    def ratio(self) -> float:
        """Distance in units of the bound."""
        return float(self.size / self.bound)


def normal_deviations(noise: Noise, x: Float64[np.ndarray, "rows features"]) -> list[Deviation]:
    """Deviations of noise from N(0, 1), with elements independent of each other and of x.

    Args:
        noise: independent draws of the noise for x.
        x: examples to which it was added.

    Returns:
        Deviations of the moments up to the fourth, of the distribution function, and of the
        independence of the noise and its square, between elements and from x.
    """
    squares = (np.square(noise) - 1) / np.sqrt(2)
    return [
        *(_moment(noise, power) for power in NORMAL_MOMENTS),
        _distribution(noise),
        *independence_deviations(noise, x, "noise"),
        *independence_deviations(squares, x, "squared noise"),
    ]


def independence_deviations(
    noise: Noise, x: Float64[np.ndarray, "rows features"], name: str
) -> Iterator[Deviation]:
    """Deviations of standardised noise from independence of its elements and of x.

    Correlated elements change the variance of a sum over rows, columns or draws, or of one element
    over draws; products of neighbours detect their correlation.

    Args:
        noise: independent draws of the noise for x, of mean zero and variance one.
        x: examples for which it was drawn.
        name: name of the noise in the statistics.

    Yields:
        The deviations.
    """
    for kind, axes in SUM_AXES.items():
        count = np.prod([noise.shape[axis] for axis in axes])
        spread = np.square(noise.sum(axis=axes)) / count
        error = max(spread.std(), EPSILON) / np.sqrt(spread.size)
        yield Deviation(f"{name} summed over {kind}", abs(spread.mean() - 1), MAX_ERRORS * error)
    for axis, kind in enumerate(("draws", "rows", "features")):
        if noise.shape[axis] > 1:
            first, second = (
                np.take(noise, range(i, noise.shape[axis] - 1 + i), axis) for i in (0, 1)
            )
            bound = MAX_ERRORS / np.sqrt(first.size)
            yield Deviation(f"{name} of neighbouring {kind}", abs(np.mean(first * second)), bound)
    spread = x.std()
    if spread > 0:
        scaled = (x - x.mean()) / spread
        bound = MAX_ERRORS / np.sqrt(noise.size)
        yield Deviation(f"{name} times x", abs(np.mean(noise * scaled)), bound)


def largest_deviation(deviations: list[Deviation]) -> Deviation:
    """The deviation with the largest ratio to its bound; NaN counts as the largest."""
    return max(deviations, key=lambda each: np.nan_to_num(each.ratio, nan=np.inf))


def _moment(noise: Noise, power: int) -> Deviation:
    mean, variance = NORMAL_MOMENTS[power]
    bound = MAX_ERRORS * np.sqrt(variance / noise.size)
    powers = math.prod([noise] * power)  # several times faster than noise**power
    return Deviation(f"moment {power}", abs(np.mean(powers) - mean), bound)


def _distribution(noise: Noise) -> Deviation:
    """sup |F_N − Φ|, which exceeds √(ln(2/α)/(2N)) with probability at most α.

    Source: Dvoretzky, Kiefer & Wolfowitz 1956; Massart 1990 (the constant).
    """
    normal, count = ndtr(np.sort(noise, axis=None)), noise.size
    steps = np.arange(count + 1) / count
    size = max(np.max(steps[1:] - normal), np.max(normal - steps[:-1]))
    return Deviation("distribution function", size, np.sqrt(np.log(2 / ALPHA) / (2 * count)))
