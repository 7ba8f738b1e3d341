"""The key that is meant by a typed key, an integer seed, or the raw words of an old-style key."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Key


def typed_key(key: Any) -> Key:
    """One typed key.

    Args:
        key: a typed key, as `jax.random.key` makes it; an integer seed in [0, 2³²); or the words
            [2] of an old-style key, as `jax.random.PRNGKey` makes it.

    Returns:
        The key; of a seed `jax.random.key(seed)`.

    Raises:
        ValueError: for anything else.
    """
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", ())
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        if shape == ():
            return key
        raise ValueError(f"key must be one key, got keys of shape {list(shape)}; take one of them")
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
