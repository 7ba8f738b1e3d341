"""The check of a hyperparameter's range, made where the value is concrete."""

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
