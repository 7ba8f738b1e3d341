"""Centring that loses nothing: each dtype is centred before it is rounded to float64.

The values that are stored are the data. Squares and products of them must neither overflow nor
underflow, and a large offset must cost none of their digits; so data is measured in a power of two,
by which no digit changes, and the mean is subtracted in the precision in which x is stored.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Shaped

from aejax.types import Array

EXACT_INTEGERS = 2**53
"""Integers up to this magnitude are exact in float64."""


def real_array(x: Shaped[np.ndarray | Array, "..."]) -> Shaped[np.ndarray, "examples features"]:
    """A finite real matrix in its own dtype, or a `ValueError` that says what it is instead."""
    x = np.asarray(x)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(
            f"x must be [examples, features] with one of each or more, got shape {list(x.shape)}; "
            "flatten images with x.reshape(len(x), -1)"
        )
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if not (_is_float(x) or np.issubdtype(x.dtype, np.integer)):
        raise ValueError(f"x must hold real numbers, got dtype {x.dtype}")
    if not np.isfinite(x).all():
        raise ValueError("x must hold finite numbers, got NaN or infinity")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def storage_precision(x: Shaped[np.ndarray, "examples features"]) -> float:
    """Relative rounding error of a value of x as it is stored: ε of floats, none of integers."""
    return float(jnp.finfo(x.dtype).eps) if _is_float(x) else 0.0


def centred(
    x: Shaped[np.ndarray, "examples features"],
) -> tuple[
    Float64[np.ndarray, "examples features"],
    Float64[np.ndarray, " features"],
    Float64[np.ndarray, " features"],
]:
    """x − x̄ and x̄ in float64, the former as exact as float64 holds it whatever the offset.

    The mean is subtracted twice: the first difference is exact where the mean is large against
    the spread (Sterbenz), so the second mean is that of small numbers. Integers that float64 would
    round first lose their first row, exactly.

    Args:
        x: a finite real matrix whose sums do not overflow.

    Returns:
        The centred rows, the mean, and what its rounding to float64 leaves out of it, as far as
        the sums of floats tell.
    """
    origin = np.zeros_like(x[0])
    if not _is_float(x) and max(-int(x.min()), int(x.max())) > EXACT_INTEGERS:
        origin, rows = x[0], _differences(x)
    else:
        rows = x.astype(_working_dtype(x))
    mean = rows.mean(axis=0)
    rows = rows - mean
    correction = rows.mean(axis=0)
    rows -= correction
    found, left = two_sum(mean, correction)
    total = origin.astype(_working_dtype(x)) + found
    rounded = total.astype(np.float64)
    return rows.astype(np.float64), rounded, ((total - rounded) + left).astype(np.float64)


def two_sum(
    a: Shaped[np.ndarray, " n"], b: Shaped[np.ndarray, " n"]
) -> tuple[Shaped[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """The rounded sum s of a and b, and the residue a + b − s, which is exact.

    Source: Knuth 1997, §4.2.2, theorem B (TwoSum).
    """
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def scale_to_unit(
    x: Shaped[np.ndarray, "examples features"],
) -> tuple[Shaped[np.ndarray, "examples features"], int]:
    """x/2^e of greatest magnitude from a half to one, with e; integers as they are, with zero."""
    if not _is_float(x):
        return x, 0
    x = x.astype(_working_dtype(x))
    exponent = int(np.frexp(np.abs(x).max())[1])
    return np.ldexp(x, -exponent), exponent


def _is_float(x: np.ndarray) -> bool:
    return bool(jnp.issubdtype(x.dtype, np.floating))


def _working_dtype(x: np.ndarray) -> Any:
    """Float64, or the wider type of x."""
    return np.longdouble if x.dtype == np.longdouble else np.float64


def _differences(
    x: Shaped[np.ndarray, "examples features"],
) -> Float64[np.ndarray, "examples features"]:
    """x − x_1 of integers of 64 bits, rounded once: their halves are exact in float64."""
    high, low = (x >> 32).astype(np.float64), (x & 0xFFFFFFFF).astype(np.float64)
    return 2.0**32 * (high - high[0]) + (low - low[0])
