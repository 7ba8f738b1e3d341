"""Quantisation of each channel by itself: finite scalar quantisation, and the signs of bits.

There is no codebook: the index of a vector is the number with the digits of its channels, the
first channel being the lowest.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from aejax.hyperparameters import check_range
from aejax.layers.codebooks import Quantised
from aejax.types import Array

BOUND_EPSILON = 1e-3
"""Relative distance of the bounds of finite scalar quantisation from the middle of the last cell's
end, so that no value is rounded to a level beyond the last."""


def finite_scalar(z: Float[Array, "*positions channels"], *, levels: Sequence[int]) -> Quantised:
    """Bound each channel and round it to one of L_i equally spaced levels in [−1, 1].

    b_i = a_i tanh(z_i + artanh(o_i / a_i)) − o_i with a_i = (L_i − 1)(1 − ε)/2 and an offset o_i of
    ½ for even L_i, else 0, so that z = 0 is at b = 0. The continuous code is b_i / ⌊L_i/2⌋ and the
    quantised one round(b_i) / ⌊L_i/2⌋, with exactly ∏_i L_i values.

    Args:
        z: continuous code before the bound, with one channel per entry of `levels`.
        levels: number of levels L_i of each channel, at least 3.

    Returns:
        The `Quantised` code.

    Source: Mentzer et al. 2024, §3.1 (their implementation shifts by tan instead of artanh, which
    leaves z = 0 slightly beside b = 0).
    """
    half = _constant(np.asarray(levels) // 2, z)
    bounded = _bound(z, levels)
    rounded = jnp.round(bounded)
    indices = _from_digits(rounded + half, levels)
    return Quantised(bounded / half, rounded / half, indices)


def finite_scalar_values(
    indices: Int[Array, "*positions"], *, levels: Sequence[int]
) -> Float[Array, "*positions channels"]:
    """Quantised code of indices of `finite_scalar`.

    Args:
        indices: indices from 0 to ∏_i L_i − 1.
        levels: number of levels of each channel.

    Returns:
        The values, each a multiple of 1 / ⌊L_i/2⌋.

    Raises:
        ValueError: if a concrete index is out of range.
    """
    check_range("each index", indices, 0, count_values(levels) - 1)
    half = np.asarray(levels) // 2
    digits = _digits(indices, levels) - half
    return digits.astype(float) / _constant(half, jnp.zeros((), float))


def signs(z: Float[Array, "*positions bits"]) -> Quantised:
    """The sign of each channel: 1 if z_i > 0, else −1.

    Args:
        z: continuous code.

    Returns:
        The `Quantised` code.

    Source: Yu et al. 2024, eq. 3 and 4 (lookup-free quantisation).
    """
    bits = z > 0
    quantised = jnp.where(bits, jnp.ones_like(z), -jnp.ones_like(z))
    return Quantised(z, quantised, _from_digits(bits, [2] * z.shape[-1]))


def sign_values(indices: Int[Array, "*positions"], *, bits: int) -> Float[Array, "*positions bits"]:
    """Quantised code of indices of `signs`.

    Args:
        indices: indices from 0 to 2^bits − 1.
        bits: number of bits.

    Returns:
        The values, −1 or 1.

    Raises:
        ValueError: if a concrete index is out of range.
    """
    check_range("each index", indices, 0, 2**bits - 1)
    return (2 * _digits(indices, [2] * bits) - 1).astype(float)


def count_values(levels: Sequence[int]) -> int:
    """Number ∏_i L_i of values of a code with L_i levels in channel i.

    Args:
        levels: number of levels of each channel.

    Returns:
        The number.
    """
    return math.prod(levels)


def _bound(z: Array, levels: Sequence[int]) -> Array:
    sizes = np.asarray(levels)
    half_range = (sizes - 1) * (1 - BOUND_EPSILON) / 2
    offset = np.where(sizes % 2 == 0, 0.5, 0.0)
    half_range, offset, shift = (
        _constant(each, z) for each in (half_range, offset, np.arctanh(offset / half_range))
    )
    return half_range * jnp.tanh(z + shift) - offset


def _constant(values: np.ndarray, like: Array) -> Array:
    return jnp.asarray(values, like.dtype)


def _place_values(levels: Sequence[int]) -> np.ndarray:
    return np.cumprod([1, *levels[:-1]]).astype(np.int32)


def _from_digits(digits: Array, levels: Sequence[int]) -> Array:
    return jnp.sum(digits.astype(jnp.int32) * _place_values(levels), axis=-1, dtype=jnp.int32)


def _digits(indices: Array, levels: Sequence[int]) -> Array:
    return indices[..., None] // _place_values(levels) % np.asarray(levels, np.int32)
