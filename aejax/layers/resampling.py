"""Pooling by two and the matching unpooling, with the indices of the maxima or without.

A `Resampling` pairs one pooling with one unpooling, so that the encoder stores what the decoder
needs.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import struct
from jax import export
from jaxtyping import Float

from aejax.layers.pooling import max_pool, max_unpool
from aejax.types import Array


@struct.dataclass
class Extent:
    """Spatial shape before pooling: a pytree without arrays, with `shape` as static data."""

    shape: tuple[int, ...] = struct.field(pytree_node=False)


@struct.dataclass
class PoolingIndices:
    """Indices of the maxima: a pytree of one array, with `shape` as static data.

    indices: flat indices [batch, *halved, channels], as `max_pool` returns them. Not annotated as
             an array, because JAX also builds the tree from other leaves (shapes, sentinels).
    shape:   spatial shape before pooling.
    """

    indices: Any
    shape: tuple[int, ...] = struct.field(pytree_node=False)


def _register_for_export(kind: type, name: str) -> None:
    """Let `jax.export` serialise functions of trees that contain this class, under a fixed name."""
    export.register_pytree_node_serialization(
        kind,
        serialized_name=name,
        serialize_auxdata=lambda static: json.dumps(static).encode(),
        deserialize_auxdata=lambda data: tuple(map(tuple, json.loads(data))),
    )


# The names are stored in exported files, so they do not change if the classes are renamed.
_register_for_export(Extent, "aejax.resampling.Extent")
_register_for_export(PoolingIndices, "aejax.resampling.Switches")


class Resampling(NamedTuple):
    """A pooling and an unpooling that undoes its change of shape.

    pool:   x [batch, *spatial, channels] -> pooled maps, and the state for the unpooling.
    unpool: (pooled maps, the state) -> maps of x's shape.
    """

    pool: Callable[[Array], tuple[Array, Any]]
    unpool: Callable[[Array, Any], Array]


def pool_with_indices(
    x: Float[Array, "batch *spatial channels"],
) -> tuple[Float[Array, "batch *halved channels"], PoolingIndices]:
    """Max pooling with window and stride 2 along each axis, and the indices of the maxima.

    Args:
        x: feature maps, channels last; an axis of n positions becomes ⌈n/2⌉ (for odd n the last
            window has width one).

    Returns:
        The maxima and their `PoolingIndices`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.resampling import pool_with_indices, unpool
        >>> pooled, indices = pool_with_indices(jnp.array([3.0, 1.0, 2.0, 5.0]).reshape(1, 4, 1))
        >>> pooled.ravel().tolist(), unpool(pooled, indices).ravel().tolist()
        ([3.0, 5.0], [3.0, 0.0, 0.0, 5.0])

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.
    """
    shape = x.shape[1:-1]
    padding = tuple((0, n % 2) for n in shape)
    maxima, indices = max_pool(x, window=(2,) * len(shape), padding=padding)
    return maxima, PoolingIndices(indices, shape)


def unpool(
    values: Float[Array, "batch *halved channels"], indices: PoolingIndices
) -> Float[Array, "batch *spatial channels"]:
    """Max unpooling: each value at the index of its maximum, zero elsewhere.

    Args:
        values: pooled maps.
        indices: second result of `pool_with_indices`.

    Returns:
        Sparse maps of the shape before pooling.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.
    """
    return max_unpool(values, indices.indices, shape=indices.shape)


def pool(
    x: Float[Array, "batch *spatial channels"],
) -> tuple[Float[Array, "batch *halved channels"], Extent]:
    """The maxima of `pool_with_indices`, without the indices.

    Args:
        x: maps, channels last.

    Returns:
        The maxima and the `Extent` of x.
    """
    maxima, indices = pool_with_indices(x)
    return maxima, Extent(indices.shape)


def upsample_nearest(
    values: Float[Array, "batch *halved channels"], extent: Extent
) -> Float[Array, "batch *spatial channels"]:
    """Nearest-neighbour upsampling: each value fills its window.

    Args:
        values: pooled maps.
        extent: second result of `pool`.

    Returns:
        Maps of the shape before pooling.
    """
    for axis, n in enumerate(extent.shape, start=1):
        values = jnp.take(values, jnp.arange(n) // 2, axis=axis)
    return values


def upsample_zeros(
    values: Float[Array, "batch *halved channels"], extent: Extent
) -> Float[Array, "batch *spatial channels"]:
    """Zero-insertion ("bed of nails") upsampling: each value at the first position of its window.

    Args:
        values: pooled maps.
        extent: second result of `pool`.

    Returns:
        Maps as sparse as those of `unpool`, with the non-zero values at fixed positions.
    """
    spatial = len(extent.shape)
    maps = jnp.zeros((values.shape[0], *extent.shape, values.shape[-1]), values.dtype)
    return maps.at[(slice(None), *[slice(None, None, 2)] * spatial)].set(values)


with_indices = Resampling(pool_with_indices, unpool)
"""SegNet's resampling: the decoder unpools with the encoder's indices."""

zero_insertion = Resampling(pool, upsample_zeros)
"""The same pooling and equally sparse maps, but without indices: the positions are fixed."""

nearest = Resampling(pool, upsample_nearest)
"""The same pooling, upsampled by nearest neighbours without indices: the maps are dense."""
