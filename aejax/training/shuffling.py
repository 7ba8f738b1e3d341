"""Random orders: those of `jax.random.permutation`, to the bit, by faster sorts."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Int

from aejax.types import Array, Key

_HALF = 2**16


def permutation(key: Key, length: int) -> Int[Array, "length"]:
    """The numbers from 0 to length − 1 in a uniformly random order.

    They are sorted by random 32-bit keys, again and again until ties no longer matter. XLA sorts
    pairs of key and number on a processor far more slowly than keys alone, which for small
    models is a good part of an epoch. Here a key carries its number in its lower half.

    Args:
        key: whence the order.
        length: how many numbers, at least one.

    Returns:
        `jax.random.permutation(key, length)`, to the bit.
    """
    if length > _HALF:
        return jax.random.permutation(key, length)
    order = jnp.arange(length)
    for _ in range(math.ceil(3 * math.log(length) / math.log(2**32 - 1))):
        key, key_bits = jax.random.split(key)
        order = order[_stable_order(jax.random.bits(key_bits, (length,), jnp.uint32))]
    return order


def _stable_order(keys: Array) -> Array:
    """Where each key of a sorted list came from: by its lower half, then, stably, by its upper."""
    places = jnp.arange(keys.shape[0], dtype=keys.dtype)
    lower = jnp.sort(keys << 16 | places) & (_HALF - 1)
    upper = jnp.sort(keys[lower] >> 16 << 16 | places) & (_HALF - 1)
    return lower[upper]
