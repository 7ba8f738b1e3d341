"""Halving a map and bringing it back to its old shape, with the places of its maxima or without.

Each pair is a `Resampling` of one pooling and one unpooling, so that a decoder cannot expect what
its encoder has not kept.
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
    """The spatial axes that were pooled: a tree without arrays, whose shape is static."""

    shape: tuple[int, ...] = struct.field(pytree_node=False)


@struct.dataclass
class Switches:
    """Where the maxima lay: a tree of one array, whose shape is static.

    indices: flat places [batch, *halved, channels], as `max_pool` returns them. Not annotated as
             such: JAX also builds the tree from leaves that are no arrays (shapes, sentinels).
    shape:   the spatial axes that were pooled.
    """

    indices: Any
    shape: tuple[int, ...] = struct.field(pytree_node=False)


def _let_export_write(kind: type) -> None:
    """`jax.export` writes functions of trees that hold this kind, whose static part is a shape."""
    export.register_pytree_node_serialization(
        kind,
        serialized_name=f"{kind.__module__}.{kind.__name__}",
        serialize_auxdata=lambda static: json.dumps(static).encode(),
        deserialize_auxdata=lambda data: tuple(map(tuple, json.loads(data))),
    )


_let_export_write(Extent)
_let_export_write(Switches)


class Resampling(NamedTuple):
    """A pooling and an unpooling that undoes its change of shape.

    pool:   x [batch, *spatial, channels] -> halved maps, and what is kept for the unpooling.
    unpool: (halved maps, what was kept) -> maps of x's shape.
    """

    pool: Callable[[Array], tuple[Array, Any]]
    unpool: Callable[[Array, Any], Array]


def halve(
    x: Float[Array, "batch *spatial channels"],
) -> tuple[Float[Array, "batch *halved channels"], Switches]:
    """Greatest value of every two positions along each axis, and the switches that say where.

    Args:
        x: channels last; an axis of n positions becomes ⌈n/2⌉, its last window perhaps one wide.

    Returns:
        The maxima and their `Switches`.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.
    """
    shape = x.shape[1:-1]
    padding = tuple((0, n % 2) for n in shape)
    maxima, indices = max_pool(x, window=(2,) * len(shape), padding=padding)
    return maxima, Switches(indices, shape)


def restore(
    values: Float[Array, "batch *halved channels"], switches: Switches
) -> Float[Array, "batch *spatial channels"]:
    """Values put back where the maxima lay, zero elsewhere.

    Args:
        values: halved maps.
        switches: of `halve`.

    Returns:
        Sparse maps of the shape that was pooled.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.
    """
    return max_unpool(values, switches.indices, shape=switches.shape)


def halve_alone(
    x: Float[Array, "batch *spatial channels"],
) -> tuple[Float[Array, "batch *halved channels"], Extent]:
    """The maxima of `halve`, of which no place is kept.

    Args:
        x: channels last.

    Returns:
        The maxima and the `Extent` of x.
    """
    maxima, switches = halve(x)
    return maxima, Extent(switches.shape)


def repeat(
    values: Float[Array, "batch *halved channels"], extent: Extent
) -> Float[Array, "batch *spatial channels"]:
    """Every value repeated over its window: nearest-neighbour upsampling.

    Args:
        values: halved maps.
        extent: of `halve_alone`.

    Returns:
        Maps of the shape that was pooled.
    """
    for axis, n in enumerate(extent.shape, start=1):
        values = jnp.take(values, jnp.arange(n) // 2, axis=axis)
    return values


def place_first(
    values: Float[Array, "batch *halved channels"], extent: Extent
) -> Float[Array, "batch *spatial channels"]:
    """Every value put at the first position of its window, zero elsewhere.

    Args:
        values: halved maps.
        extent: of `halve_alone`.

    Returns:
        Maps as sparse as those of `restore`, but with every value in a place fixed in advance.
    """
    spatial = len(extent.shape)
    maps = jnp.zeros((values.shape[0], *extent.shape, values.shape[-1]), values.dtype)
    return maps.at[(slice(None), *[slice(None, None, 2)] * spatial)].set(values)


transferred = Resampling(halve, restore)
"""SegNet's: the decoder puts values where the encoder's maxima lay."""

fixed = Resampling(halve_alone, place_first)
"""The same pooling and maps as sparse, but the decoder knows no place: all go to the first."""

nearest = Resampling(halve_alone, repeat)
"""The same pooling, but the decoder knows no place and repeats each value: its maps are dense."""
