"""Dtypes of examples: the one check that every reader and every function of data shares."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Shaped

Tabular = Any
"""Examples [m, *features] as an array of NumPy or JAX, lists, or a DataFrame."""

ADVICE = {
    "c": "give the real and the imaginary part as features of their own",
    "M": "convert times to numbers, such as seconds since the first",
    "m": "convert durations to numbers, such as seconds",
    "O": "convert the objects to numbers, as x.astype(float) does",
    "S": "encode text as numbers",
    "T": "encode text as numbers",
    "U": "encode text as numbers",
    "V": "give the fields as features of one real dtype",
}
"""What to do about a dtype that is not real, by its kind."""


def is_floating(dtype: Any) -> bool:
    """Say whether a dtype is floating point, bfloat16 and the 8-bit formats included."""
    return bool(jnp.issubdtype(dtype, jnp.floating))


def is_integer(dtype: Any) -> bool:
    """Say whether a dtype is a signed or unsigned integer, the 4-bit formats included."""
    # NumPy's durations are a subclass of its integers.
    return bool(jnp.issubdtype(dtype, jnp.integer)) and np.dtype(dtype).kind != "m"


def check_dtype(dtype: Any, name: str = "x") -> None:
    """Refuse a dtype that is not real.

    Args:
        dtype: of examples.
        name: what the message calls them.

    Raises:
        ValueError: complex, text, times, objects and structures; the message says what to do.
    """
    if not (is_floating(dtype) or is_integer(dtype) or jnp.issubdtype(dtype, jnp.bool)):
        advice = ADVICE.get(getattr(dtype, "kind", ""), "convert it")
        raise ValueError(f"{name} has dtype {dtype}; expected real numbers: {advice}")


def as_array(x: Tabular, name: str = "x") -> Shaped[np.ndarray | jax.Array, "..."]:
    """Examples as an array: arrays as they are; lists, DataFrames and the like by NumPy's rules.

    Args:
        x: an array of NumPy or JAX, or whatever NumPy makes an array of.
        name: what the messages call it.

    Returns:
        A JAX array where x is one, else a NumPy array; of a real dtype.

    Raises:
        ValueError: rows of different lengths, masked values, sparse matrices, or a dtype that is
            not real.
    """
    if not isinstance(x, jax.Array):
        if hasattr(x, "toarray"):  # SciPy's sparse matrices, of which NumPy makes one object
            raise ValueError(f"{name} is sparse, {type(x).__name__}; give x.toarray()")
        if np.ma.is_masked(x):
            raise ValueError(
                f"{name} has masked values; fill them, and give their elements weight 0 in a Batch"
            )
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"{name} is not an array of examples: {error}") from error
    check_dtype(x.dtype, name)
    return x


def format_bounds(dtype: Any) -> tuple[float | None, float | None]:
    """Bounds that raw values have by their format: 0 and 255 for uint8, else None.

    Wider integers and floating point are measurements of any range as often as images.
    """
    return (0.0, 255.0) if np.dtype(dtype) == np.uint8 else (None, None)
