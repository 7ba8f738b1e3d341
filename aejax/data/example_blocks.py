"""Iteration over examples in blocks of a few megabytes, for memory-mapped data."""

from collections.abc import Iterator
from math import prod

import jax
import numpy as np
from jaxtyping import Shaped

from aejax.data.lazy_array import LazyArray

BYTES_PER_BLOCK = 2**24


def blocks(
    x: Shaped[np.ndarray | jax.Array | LazyArray, "m *features"],
) -> Iterator[tuple[int, Shaped[np.ndarray, "block *features"]]]:
    """Iterate over x in consecutive blocks of examples.

    Args:
        x: array [m, *features] of any dtype: NumPy (memory-mapped or not), JAX, or lazy.

    Yields:
        (start, x[start:stop]), NumPy arrays of at most 16 MiB, or of one larger example.
    """
    bytes_per_example = max(1, prod(x.shape[1:]) * x.dtype.itemsize)
    step = max(1, BYTES_PER_BLOCK // bytes_per_example)
    if isinstance(x, jax.Array) and [device.platform for device in x.devices()] == ["cpu"]:
        x = np.asarray(x)  # shares memory; its slices need neither copy nor compilation
    for start in range(0, x.shape[0], step):
        yield start, np.asarray(x[start : start + step])
