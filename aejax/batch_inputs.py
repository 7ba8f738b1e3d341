"""Examples as people hold them, taken for a `Batch` where the meaning is clear."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Batch

GIVE = "give aejax.Batch(x), or aejax.Batch(x, target, weight)"


def as_batch(data: Any, name: str = "the data") -> Batch:
    """The `Batch` that is meant by a batch, an array or a data frame.

    Args:
        data: a `Batch` of arrays or of what NumPy makes arrays of; or x alone, an array or a data
            frame, [examples, *input].
        name: what the messages call it.

    Returns:
        A `Batch` of arrays in the machine's byte order; long doubles become float64.

    Raises:
        ValueError: for anything else, such as a tuple, which may be two arrays or one.
    """
    if isinstance(data, Batch):
        given = {name: value for name, value in data._asdict().items() if value is not None}
        return Batch(**{name: _array(name, value) for name, value in given.items()})
    if isinstance(data, (list, tuple, dict)) or not _is_array(data):
        raise ValueError(f"{name} must be examples, got {_kind(data)}; {GIVE}")
    return Batch(_array("x", data))


def check_lengths(batch: Batch) -> None:
    """Refuse arrays that do not have one entry for each example.

    Args:
        batch: any number of examples.

    Raises:
        ValueError: with the lengths, or the array without any.
    """
    for field, array in batch._asdict().items():
        if array is not None and array.ndim < 1:
            raise ValueError(f"{field} must be [examples, …], got the single value {array}")
    lengths = {array.shape[0] for array in batch if array is not None}
    if len(lengths) != 1:
        raise ValueError(
            f"x, target and weight must have one entry an example, got lengths {sorted(lengths)}"
        )


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _array(field: str, value: Any) -> Any:
    if isinstance(value, (jax.Array, jax.ShapeDtypeStruct)):
        return value
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{field} is a masked array, of which values are missing; fill them in, and leave them "
            "out of the loss by a weight of zero"
        )
    try:
        array = np.asarray(value)
    except Exception as error:  # ragged lists, tensors of other libraries: each in its own way
        raise ValueError(f"{field} cannot be made an array: {error}; {GIVE}") from error
    numbers = jnp.issubdtype(array.dtype, np.number) or jnp.issubdtype(array.dtype, np.bool_)
    if not numbers:
        raise ValueError(
            f"{field} must be an array of real numbers, got {_kind(value)} of dtype {array.dtype}"
        )
    if array.dtype == np.longdouble:  # which JAX lacks
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _kind(value: Any) -> str:
    held = [type(entry).__name__ for entry in value] if isinstance(value, (list, tuple)) else []
    return (
        f"{type(value).__name__} ({', '.join(held)})"
        if 0 < len(held) <= 4
        else (type(value).__name__)
    )
