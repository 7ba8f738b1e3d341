"""Iteration over examples in blocks of a few megabytes, for memory-mapped data."""

from collections.abc import Iterator
from math import prod
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Shaped

from aejax.data.lazy_array import LazyArray

BYTES_PER_BLOCK = 2**24


def blocks(
    x: Shaped[np.ndarray | jax.Array | LazyArray, "m *features"],
) -> Iterator[tuple[int, Shaped[np.ndarray, "block *features"]]]:
    """Iterate over x in consecutive blocks of examples.

    Args:
        x: array [m, *features] of any dtype: NumPy (memory-mapped or not), JAX, or lazy. A JAX
            array may be divided among devices, also those of several processes, which then send
            each block to all of them.

    Yields:
        (start, x[start:stop]), NumPy arrays of at most 16 MiB, or of one larger example.
    """
    if not isinstance(x, jax.Array) or not is_divided(x):
        yield from _consecutive(x)
        return
    for start, device in sorted(_owners(x).items()):
        length = x.sharding.shard_shape(x.shape)[0]
        here = device.process_index == jax.process_index()
        part = _part(x, device) if here else np.empty((length, *x.shape[1:]), x.dtype)
        for offset, block in _consecutive(part):
            yield start + offset, block if x.is_fully_addressable else _sent(block, is_source=here)


def own_blocks(
    x: Shaped[np.ndarray | jax.Array | LazyArray, "m *features"],
) -> Iterator[tuple[int, Shaped[np.ndarray, "block *features"]]]:
    """Iterate over the blocks of x that this process stores: all, unless x is divided among them.

    Args:
        x: array as for `blocks`.

    Yields:
        (start, block) as `blocks`.
    """
    if not isinstance(x, jax.Array) or x.is_fully_addressable or not is_divided(x):
        yield from blocks(x)
        return
    for start, device in sorted(_owners(x, local=True).items()):
        for offset, block in _consecutive(_part(x, device)):
            yield start + offset, block


def is_divided(x: jax.Array) -> bool:
    """Whether devices store different examples of x.

    Args:
        x: array on any devices.

    Returns:
        Whether x is divided along its first axis.

    Raises:
        ValueError: if x is divided along another axis and among several processes.
    """
    shard = x.sharding.shard_shape(x.shape)
    if not x.is_fully_addressable and shard[1:] != x.shape[1:]:
        raise ValueError(
            f"examples of shape {list(x.shape)} are divided into parts of {list(shard)}: processes "
            "can divide them along the first axis only"
        )
    return shard[:1] != x.shape[:1] and shard[1:] == x.shape[1:]


def _owners(x: jax.Array, *, local: bool = False) -> dict[int, Any]:
    """One device (of this process) for each part of x, by the index of the part's first example."""
    owners: dict[int, Any] = {}
    for device, index in x.sharding.devices_indices_map(x.shape).items():
        if not local or device.process_index == jax.process_index():
            owners.setdefault(index[0].indices(x.shape[0])[0], device)
    return owners


def _part(x: jax.Array, device: Any) -> jax.Array:
    (part,) = (shard.data for shard in x.addressable_shards if shard.device == device)
    return part


def _sent(block: np.ndarray, *, is_source: bool) -> np.ndarray:
    """Block of the process that is the source; as bytes, because the sum of −0 and 0 is 0."""
    sent = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
    received = multihost_utils.broadcast_one_to_all(sent, is_source=is_source)
    return np.asarray(received).view(block.dtype).reshape(block.shape)


def _consecutive(x: np.ndarray | jax.Array | LazyArray) -> Iterator[tuple[int, np.ndarray]]:
    bytes_per_example = max(1, prod(x.shape[1:]) * x.dtype.itemsize)
    step = max(1, BYTES_PER_BLOCK // bytes_per_example)
    if isinstance(x, jax.Array) and {device.platform for device in x.devices()} == {"cpu"}:
        x = np.asarray(x)  # shares memory; its slices need neither copy nor compilation
    for start in range(0, x.shape[0], step):
        yield start, np.asarray(x[start : start + step])
