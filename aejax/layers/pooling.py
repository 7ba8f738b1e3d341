"""Max pooling that says where each maximum lay, and the unpooling that puts values back there.

Any number of spatial axes, channels last. An index is flat over the unpadded spatial axes, row by
row, of one example and one channel: PyTorch's convention.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Shaped

from aejax.hyperparameters import check_range
from aejax.layers.convolution_arithmetic import Geometry, Padding, convolution_shape, resolve_axes
from aejax.types import Array


def max_pool(
    x: Shaped[Array, "batch *spatial channels"],
    *,
    window: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: Sequence[int] | None = None,
) -> tuple[Shaped[Array, "batch *pooled channels"], Int[Array, "batch *pooled channels"]]:
    """Greatest value of each window, and the flat index at which it lay.

    The pooled axes are as long as `convolution_shape` says, with the window for a kernel. Of equal
    values the first in scan order wins, and alone has the gradient. NaN counts as the
    greatest, and the first NaN wins (in PyTorch the last). Memory grows with the window's size.

    Args:
        x: real input, channels last.
        window: positions along each spatial axis, at least one each.
        strides: steps between windows, at least one each; None means the window's.
        padding: positions (low, high) added to each axis, never chosen, "valid" or "same".
        dilation: steps between a window's positions, at least one each; None means one.

    Returns:
        The maxima, typed like x, and their int32 indices.

    Raises:
        ValueError: where lengths disagree, a number is out of range, or a window meets no input.

    Source: Zeiler & Fergus 2014, §2.1 (switches); Badrinarayanan, Kendall & Cipolla 2017, §3.1.
    """
    geometry = Geometry(window, window if strides is None else strides, padding, dilation)
    table = _positions(x.shape[1:-1], geometry)
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    first = jnp.argmax(jax.lax.stop_gradient(flat)[:, table, :], axis=-2)
    indices = jnp.take_along_axis(jnp.asarray(table)[None, ..., None], first[..., None, :], axis=-2)
    indices = indices[..., 0, :]
    return _gather(flat, indices), indices


def max_unpool(
    values: Shaped[Array, "batch *pooled channels"],
    indices: Int[Array, "batch *pooled channels"],
    *,
    shape: Sequence[int],
) -> Shaped[Array, "batch *spatial channels"]:
    """Values put back at their indices, zero elsewhere: where `max_pool` found them.

    Where windows overlap and share an index, the last value in scan order stays and alone has the
    gradient; PyTorch on CPU keeps the same value, but passes the gradient to every one of them.

    Args:
        values: what to put back, channels last.
        indices: flat indices into the spatial axes, as `max_pool` returns them.
        shape: the spatial axes of the result.

    Returns:
        Zeros but for the values, typed like them.

    Raises:
        ValueError: where values and indices differ in shape, or have another number of spatial axes
            than the result; where indices are no integers, or a concrete one lies outside the
            shape. A traced one outside is dropped with its value.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.2 (their fig. 3).
    """
    size = math.prod(shape)
    _check_unpooling(values, indices, shape)
    if indices.size:
        check_range("indices", jnp.stack([indices.min(), indices.max()]), 0, size - 1)
    batch, channels = values.shape[0], values.shape[-1]
    places = indices.reshape(batch, -1, channels)
    examples = jnp.arange(batch)[:, None, None]
    at = (examples, places, jnp.arange(channels))
    order = jnp.broadcast_to(jnp.arange(1, places.shape[1] + 1)[:, None], places.shape)
    last = jnp.zeros((batch, size, channels), order.dtype).at[at].max(order)
    kept = jnp.where(last[at] == order, values.reshape(places.shape), 0)
    flat = jnp.zeros((batch, size, channels), values.dtype).at[at].add(kept)
    return flat.reshape(batch, *shape, channels)


def _check_unpooling(values: Array, indices: Array, shape: Sequence[int]) -> None:
    if values.shape != indices.shape or values.ndim != len(shape) + 2:
        raise ValueError(
            "values and indices must have one shape, [batch, *pooled, channels], with an axis for "
            f"each of the result's {list(shape)}, got {list(values.shape)} and "
            f"{list(indices.shape)}"
        )
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise ValueError(f"indices must be integers, as max_pool returns them, got {indices.dtype}")


def _gather(flat: Array, indices: Array) -> Array:
    places = indices.reshape(flat.shape[0], -1, flat.shape[-1])
    return jnp.take_along_axis(flat, places, axis=1).reshape(indices.shape)


def _positions(shape: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    """Flat input position of each window's places, [*pooled, places]; padding repeats the first."""
    pooled = convolution_shape(shape, geometry)
    inside, flat = np.ones((), bool), np.zeros((), int)
    for number, (axis, size) in enumerate(zip(resolve_axes(shape, geometry), pooled, strict=True)):
        places = axis.input_positions(size)
        view = [1] * (2 * len(shape))
        view[number], view[len(shape) + number] = places.shape
        inside = inside & ((places >= 0) & (places < axis.size)).reshape(view)
        flat = flat * axis.size + places.reshape(view)
    flat, inside = flat.reshape(*pooled, -1), inside.reshape(*pooled, -1)
    if not inside.any(-1).all():
        raise ValueError(
            f"every window must meet the input, got spatial shape {list(shape)} and {geometry}; "
            "use less padding, or a larger window"
        )
    first = np.take_along_axis(flat, inside.argmax(-1)[..., None], axis=-1)
    return np.where(inside, flat, first).astype(np.int32)
