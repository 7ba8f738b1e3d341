"""Checks of a hyperparameter, made where its value is concrete: its range, or that it counts."""

import operator
from typing import Any

import numpy as np
from jax.core import Tracer

from aejax.types import Array


def check_range(name: str, value: float | Array, low: float, high: float) -> None:
    """Refuse a concrete value outside [low, high]; a traced one passes, so that it can be vmapped.

    Args:
        name: what the value is called in the message.
        value: a number, or an array of them.
        low: least value allowed.
        high: greatest value allowed.

    Raises:
        ValueError: naming the value and its range; NaN lies in no range.
    """
    if isinstance(value, Tracer):
        return
    if not np.all((np.asarray(value) >= low) & (np.asarray(value) <= high)):
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value}")


def as_integer(name: str, value: Any) -> int:
    """An integer, NumPy's and JAX's among them, as Python's.

    Args:
        name: what the value is called in the message.
        value: a count, such as epochs.

    Returns:
        The same integer.

    Raises:
        ValueError: naming the value, for a float, also a whole one, a bool, or anything else.
    """
    truth = isinstance(value, bool) or getattr(value, "dtype", None) == np.dtype(bool)
    try:
        number = None if truth else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(f"{name} must be an integer, got {type(value).__name__} {value!r}")
    return number
