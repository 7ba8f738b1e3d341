"""Conversion of integer seeds and legacy keys to typed PRNG keys."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Key


def typed_key(key: Any) -> Key:
    """Convert to a single typed key.

    Args:
        key: typed key from `jax.random.key`, integer seed in [0, 2³²), or legacy key from
            `jax.random.PRNGKey`, uint32 [2].

    Returns:
        The typed key; `jax.random.key(seed)` for a seed.

    Raises:
        ValueError: for anything else, including arrays of several keys.
    """
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", ())
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        if shape == ():
            return key
        raise ValueError(f"key must be a single key, got keys of shape {list(shape)}; select one")
    if dtype == np.uint32 and shape == jax.random.key_data(jax.random.key(0)).shape:
        return jax.random.wrap_key_data(jnp.asarray(key))
    try:
        seed = -1 if isinstance(key, bool) or dtype == np.dtype(bool) else operator.index(key)
    except TypeError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"key must be jax.random.key(seed) or a seed in [0, 2³²), got {type(key).__name__} "
            f"{key!r}"
        )
    return jax.random.key(seed)
