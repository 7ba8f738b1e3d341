"""Comparisons over seeds: means and paired differences with Student t intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Comparison(NamedTuple):
    """A paired difference over seeds, and whether it is on the claimed side of zero.

    mean:  mean difference.
    low:   lower end of its 95 % interval (Student's t).
    high:  upper end of the interval.
    holds: whether the whole interval is on the claimed side of zero.
    """

    mean: float
    low: float
    high: float
    holds: bool


def below(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """Compare for the claim that values are below a reference: values − reference < 0.

    Args:
        values: one value per seed, at least two: array-like [seeds].
        reference: one value per seed, [seeds], or one for all seeds.

    Returns:
        The `Comparison`. If all comparisons of a study must hold, each is tested at its own level:
        an intersection-union test needs no correction for multiple comparisons.

    Example:
        >>> from aejax import evaluation
        >>> evaluation.below([1.0, 1.2, 1.1], [2.0, 2.1, 2.3]).holds
        True
    """
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, high < 0)


def above(values: ArrayLike, reference: ArrayLike) -> Comparison:
    """Compare for the claim that values are above a reference: values − reference > 0.

    Args:
        values: one value per seed, at least two: array-like [seeds].
        reference: one value per seed, [seeds], or one for all seeds.

    Returns:
        The `Comparison`, as that of `below`.
    """
    mean, low, high = interval(np.asarray(values) - np.asarray(reference))
    return Comparison(mean, low, high, low > 0)


def interval(values: ArrayLike, confidence: float = 0.95) -> list[float]:
    """Compute the mean over seeds and its Student t interval.

    Args:
        values: one value per seed, at least two: array-like [seeds].
        confidence: confidence level of the interval.

    Returns:
        [mean, low, high].

    Raises:
        ValueError: if there are fewer than two seeds.
    """
    from scipy import stats  # slow to import

    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"an interval needs one value per seed, two or more, got shape {values.shape}"
        )
    mean, error = values.mean(), stats.sem(values)
    half_width = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    return [float(mean), float(mean - half_width), float(mean + half_width)]
