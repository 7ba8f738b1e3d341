"""Tests of a sample of noise against its law: moments, distribution and independence.

Each statistic of n independent numbers has an expectation and a standard error that are known, or,
for the distribution function, a bound that holds for every n (Massart 1990).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from aejax.theory.checking.problem import EPSILON

ERRORS = 6.0
"""Standard errors that a statistic may be off; a normal one is so once in 5·10⁸."""

CHANCE = 2e-9
"""Probability that the distribution function of a right sample is beyond its bound."""

Noise = Float64[np.ndarray, "draws rows features"]

NORMAL_MOMENTS = {1: (0.0, 1.0), 2: (1.0, 2.0), 3: (0.0, 15.0), 4: (3.0, 96.0)}
"""Power p -> mean and variance of zᵖ for z ~ N(0, 1)."""

SUMMED = {
    "elements": (0,),
    "columns": (1,),
    "rows": (2,),
    "draws": (1, 2),
}
"""What a sum of noise belongs to -> the axes that it runs over."""


class Deviation(NamedTuple):
    """A statistic of a sample.

    name:  of the statistic.
    size:  its distance from what the law says.
    bound: the greatest distance that chance explains.
    """

    name: str
    size: float | np.floating
    bound: float | np.floating

    @property
    def ratio(self) -> float:
        """The distance in bounds."""
        return float(self.size / self.bound)


def normal_deviations(noise: Noise, x: Float64[np.ndarray, "rows features"]) -> list[Deviation]:
    """Whether noise is N(0, 1), independent between its elements and of x.

    Args:
        noise: drawn for x, again and again.
        x: what it was added to.

    Returns:
        Moments up to the fourth, the distribution function, and independence of the noise and of
        its square, between elements and of x.
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
    """Whether numbers of mean zero and variance one are uncorrelated between elements and with x.

    The variance of a sum over rows, columns, draws, or of one element over draws sees what its
    elements have in common; products of neighbours see what these have.

    Args:
        noise: drawn for x, again and again.
        x: what it was drawn for.
        name: of the numbers.

    Yields:
        The deviations.
    """
    for what, axes in SUMMED.items():
        count = np.prod([noise.shape[axis] for axis in axes])
        spread = np.square(noise.sum(axis=axes)) / count
        error = max(spread.std(), EPSILON) / np.sqrt(spread.size)
        yield Deviation(f"{name} summed over {what}", abs(spread.mean() - 1), ERRORS * error)
    for axis, what in enumerate(("draws", "rows", "features")):
        if noise.shape[axis] > 1:
            first, second = (
                np.take(noise, range(i, noise.shape[axis] - 1 + i), axis) for i in (0, 1)
            )
            bound = ERRORS / np.sqrt(first.size)
            yield Deviation(f"{name} of neighbouring {what}", abs(np.mean(first * second)), bound)
    spread = x.std()
    if spread > 0:
        scaled = (x - x.mean()) / spread
        bound = ERRORS / np.sqrt(noise.size)
        yield Deviation(f"{name} times x", abs(np.mean(noise * scaled)), bound)


def worst(deviations: list[Deviation]) -> Deviation:
    """The one that most bounds are from what the law says; NaN counts as most."""
    return max(deviations, key=lambda each: np.nan_to_num(each.ratio, nan=np.inf))


def _moment(noise: Noise, power: int) -> Deviation:
    mean, variance = NORMAL_MOMENTS[power]
    bound = ERRORS * np.sqrt(variance / noise.size)
    powers = math.prod([noise] * power)  # several times as fast as noise**power
    return Deviation(f"moment {power}", abs(np.mean(powers) - mean), bound)


def _distribution(noise: Noise) -> Deviation:
    """sup |F_N − Φ|, which exceeds √(ln(2/α)/(2N)) with probability α at most.

    Source: Dvoretzky, Kiefer & Wolfowitz 1956; Massart 1990 (the constant).
    """
    normal, count = ndtr(np.sort(noise, axis=None)), noise.size
    steps = np.arange(count + 1) / count
    size = max(np.max(steps[1:] - normal), np.max(normal - steps[:-1]))
    return Deviation("distribution function", size, np.sqrt(np.log(2 / CHANCE) / (2 * count)))
