"""Promotion of dtypes, spelled out for `jax_numpy_dtype_promotion="strict"`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from aejax.types import Array


def promote_dtypes(a: DTypeLike, b: DTypeLike) -> np.dtype:
    """The dtype that two promote to.

    Args:
        a: a dtype.
        b: a dtype.

    Returns:
        Theirs, by JAX's standard rules, whatever the mode.
    """
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(a, b)


def promote_arrays(a: Array, b: Array) -> tuple[Array, Array]:
    """Both arrays in the dtype that they promote to.

    Args:
        a: an array of any shape.
        b: an array of any shape.

    Returns:
        Both, cast where they must be.
    """
    dtype = promote_dtypes(a.dtype, b.dtype)
    return a.astype(dtype), b.astype(dtype)
