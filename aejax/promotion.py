"""Explicit dtype promotion, for `jax_numpy_dtype_promotion="strict"`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from aejax.types import Array


def promote_dtypes(a: DTypeLike, b: DTypeLike) -> np.dtype:
    """Promote two dtypes by JAX's standard rules, in any promotion mode.

    Args:
        a: a dtype.
        b: a dtype.

    Returns:
        Their common dtype.
    """
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(a, b)


def promote_arrays(a: Array, b: Array) -> tuple[Array, Array]:
    """Cast two arrays to their common dtype.

    Args:
        a: an array of any shape.
        b: an array of any shape.

    Returns:
        Both arrays.
    """
    dtype = promote_dtypes(a.dtype, b.dtype)
    return a.astype(dtype), b.astype(dtype)
