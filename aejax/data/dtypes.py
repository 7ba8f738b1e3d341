"""Dtypes of examples: validation and conversion to arrays, shared by all readers."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Shaped

Tabular = Any
"""Examples [m, *features] as a NumPy or JAX array, lists, or a DataFrame."""

ADVICE = {
    "c": "use the real and the imaginary part as separate features",
    "M": "convert times to numbers, such as seconds since the first time",
    "m": "convert durations to numbers, such as seconds",
    "O": "convert the objects to numbers, as x.astype(float) does",
    "S": "encode text as numbers",
    "T": "encode text as numbers",
    "U": "encode text as numbers",
    "V": "use the fields as features of one real dtype",
}
"""Advice for dtypes that are not real, by `dtype.kind`."""


def is_floating(dtype: Any) -> bool:
    """Whether a dtype is floating point, including bfloat16 and the 8-bit formats."""
    return bool(jnp.issubdtype(dtype, jnp.floating))


def is_integer(dtype: Any) -> bool:
    """Whether a dtype is a signed or unsigned integer, including the 4-bit formats."""
    # timedelta64 is a subclass of NumPy's integers.
    return bool(jnp.issubdtype(dtype, jnp.integer)) and np.dtype(dtype).kind != "m"


def check_dtype(dtype: Any, name: str = "x") -> None:
    """Check that a dtype is real: floating point, integer or bool.

    Args:
        dtype: dtype of examples.
        name: name of the examples in error messages.

    Raises:
        ValueError: for complex, text, time, object and structured dtypes, with advice.
    """
    if not (is_floating(dtype) or is_integer(dtype) or jnp.issubdtype(dtype, jnp.bool)):
        advice = ADVICE.get(getattr(dtype, "kind", ""), "convert it")
        raise ValueError(f"{name} has dtype {dtype}; expected real numbers: {advice}")


def as_array(x: Tabular, name: str = "x") -> Shaped[np.ndarray | jax.Array, "..."]:
    """Convert examples to an array with `numpy.asarray`; JAX arrays are returned unchanged.

    Args:
        x: NumPy or JAX array, list, DataFrame, or another argument of `numpy.asarray`.
        name: name of x in error messages.

    Returns:
        A JAX array if x is one, else a NumPy array; of a real dtype.

    Raises:
        ValueError: for rows of different lengths, masked values, sparse matrices, or a dtype that
            is not real.
    """
    if not isinstance(x, jax.Array):
        if hasattr(x, "toarray"):  # numpy.asarray wraps a sparse matrix as one object
            raise ValueError(f"{name} is sparse, {type(x).__name__}; use x.toarray()")
        if np.ma.is_masked(x):
            raise ValueError(
                f"{name} has masked values; fill them, and set their weight to 0 in a Batch"
            )
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"{name} is not an array of examples: {error}") from error
    check_dtype(x.dtype, name)
    return x


def format_bounds(dtype: Any) -> tuple[float | None, float | None]:
    """Conventional range of raw values of a dtype: 0 and 255 for uint8, else None.

    Wider integers and floating-point values have none.
    """
    return (0.0, 255.0) if np.dtype(dtype) == np.uint8 else (None, None)
