"""Checks of hyperparameters: ranges of concrete values, and integers."""

import operator
from typing import Any

import numpy as np
from jax.core import Tracer

from aejax.types import Array


def check_range(name: str, value: float | Array, low: float, high: float) -> None:
    """Check that a concrete value lies in [low, high]. Traced values are not checked.

    Args:
        name: name of the value in the error message.
        value: scalar or array.
        low: minimum.
        high: maximum.

    Raises:
        ValueError: if a value is outside the range or NaN.
    """
    if isinstance(value, Tracer):
        return
    with np.errstate(over="ignore"):  # a float64 bound may be infinite as float32
        is_inside = np.all((np.asarray(value) >= low) & (np.asarray(value) <= high))
    if not is_inside:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value}")


def as_integer(name: str, value: Any) -> int:
    """Convert a Python, NumPy or JAX integer to a Python int.

    Args:
        name: name of the value in the error message.
        value: scalar integer.

    Returns:
        The int.

    Raises:
        ValueError: for any other type, including booleans and floats without fractional part.
    """
    boolean = isinstance(value, bool) or getattr(value, "dtype", None) == np.dtype(bool)
    try:
        integer = None if boolean else operator.index(value)
    except TypeError:
        integer = None
    if integer is None:
        raise ValueError(f"{name} must be an integer, got {type(value).__name__} {value!r}")
    return integer
