"""JSON values of the explorer: checks of indices and lists of numbers, and their conversion."""

import math
from typing import Any

import numpy as np


class UnknownIndexError(LookupError):
    """There is no example or unit with this index."""


def checked_index(what: str, number: int, count: int) -> int:
    """Check an index.

    Args:
        what: noun for messages.
        number: the index.
        count: number of valid indices.

    Returns:
        The index.

    Raises:
        UnknownIndexError: it is not below the count.
    """
    if not 0 <= number < count:
        raise UnknownIndexError(f"there is no {what} {number}: they are 0 to {count - 1}")
    return number


def finite_array(what: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Convert a list of JSON numbers.

    Args:
        what: noun for messages.
        values: parsed JSON.
        shape: shape of the list.

    Returns:
        The numbers, float64.

    Raises:
        ValueError: it has another shape, or contains something else than finite numbers.
    """
    refusal = ValueError(f"{what} is a list of {math.prod(shape)} numbers")
    try:
        leaves = np.asarray(values, object)
        numbers = leaves.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise refusal from error
    if not all(type(leaf) in (int, float) for leaf in leaves.flat):  # NumPy converts "1" and True
        raise refusal
    if numbers.shape != shape:
        raise ValueError(f"{what} has {math.prod(shape)} numbers, got shape {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} contains a value that is NaN or infinite")
    return numbers


def as_list(array: np.ndarray) -> list[float]:
    """List of the numbers of an array in C order."""
    return np.asarray(array, float).ravel().tolist()
