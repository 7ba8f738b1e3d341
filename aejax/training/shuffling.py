"""A `jax.random.permutation` that is faster on CPUs, with identical results.

It sorts keys into which indices are packed.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Int

from aejax.types import Array, Key

_MAX_PACKED_LENGTH = 2**16
"""Maximum length whose indices fit into the lower half of a 32-bit key."""


def permutation(key: Key, length: int) -> Int[Array, "length"]:
    """Random permutation of the integers from 0 to length − 1.

    As in JAX, they are sorted by random 32-bit keys, repeatedly, until ties are negligible. On a
    CPU, XLA sorts key-value pairs far more slowly than plain keys, which takes a large part of an
    epoch of small models. There the index is packed into the lower half of the key. Programs for
    other platforms sort pairs, by `jax.random.permutation` itself.

    Args:
        key: PRNG key.
        length: number of integers, at least 1.

    Returns:
        An array equal to `jax.random.permutation(key, length)`.
    """
    by_pairs = partial(jax.random.permutation, x=length)
    if length > _MAX_PACKED_LENGTH:
        return by_pairs(key)
    by_packed_keys = partial(_permutation_by_packed_keys, length=length)
    return jax.lax.platform_dependent(key, cpu=by_packed_keys, default=by_pairs)


def _permutation_by_packed_keys(key: Key, *, length: int) -> Array:
    order = jnp.arange(length)
    for _ in range(math.ceil(3 * math.log(length) / math.log(2**32 - 1))):
        key, key_bits = jax.random.split(key)
        order = order[_stable_order(jax.random.bits(key_bits, (length,), jnp.uint32))]
    return order


def _stable_order(keys: Array) -> Array:
    """Stable argsort of 32-bit keys by radix sort: by the lower half, then by the upper half."""
    indices = jnp.arange(keys.shape[0], dtype=keys.dtype)
    lower = jnp.sort(keys << 16 | indices) & (_MAX_PACKED_LENGTH - 1)
    upper = jnp.sort(keys[lower] >> 16 << 16 | indices) & (_MAX_PACKED_LENGTH - 1)
    return lower[upper]
