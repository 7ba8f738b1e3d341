"""Conversion of arrays and data frames to a `Batch`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Batch

ADVICE = "give aejax.Batch(x), or aejax.Batch(x, target, weight)"


def as_batch(data: Any, name: str = "the data") -> Batch:
    """Convert to a `Batch` of arrays.

    Args:
        data: a `Batch` of array-likes, or x alone as an array or data frame, [examples, *input].
        name: name of the data in error messages.

    Returns:
        A `Batch` of arrays in native byte order; long doubles become float64.

    Raises:
        ValueError: for anything else, including lists and tuples, or masked (missing) values.
    """
    if isinstance(data, Batch):
        given = {name: value for name, value in data._asdict().items() if value is not None}
        return Batch(**{name: _array(name, value) for name, value in given.items()})
    if isinstance(data, (list, tuple, dict)) or not _is_array(data):
        raise ValueError(f"{name} must be examples, got {_type_name(data)}; {ADVICE}")
    return Batch(_array("x", data))


def check_lengths(batch: Batch) -> None:
    """Check that x, target and weight have the same length.

    Args:
        batch: batch of any size.

    Raises:
        ValueError: if the lengths differ, or an array has no axis.
    """
    for field, array in batch._asdict().items():
        if array is not None and array.ndim < 1:
            raise ValueError(f"{field} must be [examples, …], got the scalar {array}")
    lengths = {array.shape[0] for array in batch if array is not None}
    if len(lengths) != 1:
        raise ValueError(
            f"x, target and weight must have one entry per example, got lengths {sorted(lengths)}"
        )


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _array(field: str, value: Any) -> Any:
    if isinstance(value, (jax.Array, jax.ShapeDtypeStruct)):
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{field} is a masked array with missing values; fill them in, and exclude them from "
            "the loss by a weight of zero"
        )
    try:
        array = np.asarray(value)
    except Exception as error:  # ragged lists and tensors of other libraries raise various errors
        raise ValueError(f"{field} cannot be converted to an array: {error}; {ADVICE}") from error
    numeric = jnp.issubdtype(array.dtype, np.number) or jnp.issubdtype(array.dtype, np.bool_)
    if not numeric:
        raise ValueError(
            f"{field} must be an array of real numbers, got {_type_name(value)} of dtype "
            f"{array.dtype}"
        )
    if array.dtype == np.longdouble:  # not supported by JAX
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _type_name(value: Any) -> str:
    """Type of a value, with the types of its entries for a short list or tuple."""
    name = type(value).__name__
    entries = [type(entry).__name__ for entry in value] if isinstance(value, (list, tuple)) else []
    return f"{name} ({', '.join(entries)})" if 0 < len(entries) <= 4 else name
