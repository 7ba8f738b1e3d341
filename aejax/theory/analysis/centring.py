"""Centring without loss of precision: the mean is subtracted before conversion to float64.

Stored values count as exact. Data are divided by a power of two, which is exact, so that squares
neither overflow nor underflow, and the mean is subtracted in the stored precision, so that a large
offset costs no digits.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Shaped

from aejax.types import Array

EXACT_INTEGERS = 2**53
"""Maximum magnitude up to which all integers are exact in float64."""


def real_array(x: Shaped[np.ndarray | Array, "..."]) -> Shaped[np.ndarray, "examples features"]:
    """x as a finite real matrix in its dtype; `ValueError` if it is not one."""
    x = np.asarray(x)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(
            f"x must be [examples, features], both at least 1, got shape {list(x.shape)}; "
            "flatten images with x.reshape(len(x), -1)"
        )
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if not (_is_float(x) or np.issubdtype(x.dtype, np.integer)):
        raise ValueError(f"x must contain real numbers, got dtype {x.dtype}")
    if not np.isfinite(x).all():
        raise ValueError("x must contain finite numbers, got NaN or infinity")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def storage_precision(x: Shaped[np.ndarray, "examples features"]) -> float:
    """Relative rounding error of stored values: ε of a floating-point dtype, 0 of integers."""
    return float(jnp.finfo(x.dtype).eps) if _is_float(x) else 0.0


def centred(
    x: Shaped[np.ndarray, "examples features"],
) -> tuple[
    Float64[np.ndarray, "examples features"],
    Float64[np.ndarray, " features"],
    Float64[np.ndarray, " features"],
]:
    """x − x̄ and x̄ in float64, with x − x̄ accurate to float64 precision for every mean.

    The mean is subtracted twice: if it is large relative to the spread, the first difference is
    exact (Sterbenz's lemma), so that the second mean is computed from small numbers. From integers
    that float64 cannot represent, the first row is subtracted first.

    Args:
        x: finite real matrix whose sums do not overflow.

    Returns:
        The centred rows, the mean, and the rounding error of the mean (its residue).
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
    corrected, error = two_sum(mean, correction)
    total = origin.astype(_working_dtype(x)) + corrected
    rounded = total.astype(np.float64)
    return rows.astype(np.float64), rounded, ((total - rounded) + error).astype(np.float64)


def two_sum(
    a: Shaped[np.ndarray, " n"], b: Shaped[np.ndarray, " n"]
) -> tuple[Shaped[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    """The rounded sum s of a and b, and its exact rounding error a + b − s (TwoSum).

    Source: Knuth 1997, §4.2.2, theorem B.
    """
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def scale_to_unit(
    x: Shaped[np.ndarray, "examples features"],
) -> tuple[Shaped[np.ndarray, "examples features"], int]:
    """x/2^e and e, with a maximum magnitude in [½, 1); integers unchanged, with e = 0."""
    if not _is_float(x):
        return x, 0
    x = x.astype(_working_dtype(x))
    exponent = int(np.frexp(np.abs(x).max())[1])
    return np.ldexp(x, -exponent), exponent


def _is_float(x: np.ndarray) -> bool:
    return bool(jnp.issubdtype(x.dtype, np.floating))


def _working_dtype(x: np.ndarray) -> Any:
    """longdouble for longdouble x, otherwise float64."""
    return np.longdouble if x.dtype == np.longdouble else np.float64


def _differences(
    x: Shaped[np.ndarray, "examples features"],
) -> Float64[np.ndarray, "examples features"]:
    """x minus its first row, for 64-bit integers: their 32-bit halves are exact in float64."""
    high, low = (x >> 32).astype(np.float64), (x & 0xFFFFFFFF).astype(np.float64)
    return 2.0**32 * (high - high[0]) + (low - low[0])
