"""N-dimensional max pooling with indices, and max unpooling; channels last.

An index is flat (row-major) over the unpadded spatial axes of one example and one channel, as in
PyTorch.
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
    """Max pooling, with the flat index of each maximum.

    The output shape is `convolution_shape` of the window. Of equal maxima the first in row-major
    order is selected, and alone receives the gradient. NaN counts as the maximum, and the first NaN
    is selected (in PyTorch the last). Memory grows with the size of the window.

    Args:
        x: real input, channels last.
        window: size along each spatial axis, at least one.
        strides: input positions from one window to the next, at least one (default: the window).
        padding: positions (low, high) added to each axis and never selected, "valid" or "same".
        dilation: input positions from one window element to the next, at least one (default: 1).

    Returns:
        The maxima, with x's dtype, and their int32 indices.

    Raises:
        ValueError: if lengths differ, an entry is out of range, or a window covers only padding.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.pooling import max_pool, max_unpool
        >>> values, indices = max_pool(jnp.array([[[1.0], [7.0], [4.0], [2.0]]]), window=(2,))
        >>> indices.ravel().tolist(), max_unpool(values, indices, shape=(4,)).ravel().tolist()
        ([1, 2], [0.0, 7.0, 4.0, 0.0])

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
    """Max unpooling: each value at the index of its maximum, zero elsewhere.

    If overlapping windows share an index, the last value in row-major order is used and receives
    the gradient; PyTorch on CPU uses the same value, but passes the gradient to all of them.

    Args:
        values: pooled values, channels last.
        indices: flat indices into the spatial axes, as `max_pool` returns them.
        shape: spatial shape of the result.

    Returns:
        The unpooled array, with the dtype of the values.

    Raises:
        ValueError: if values and indices differ in shape, or in the number of spatial axes from the
            result; if indices are not integers, or a concrete one is out of range. Traced indices
            are not checked: those that are too large are ignored.

    Source: Badrinarayanan, Kendall & Cipolla 2017, §3.2 (their fig. 3).
    """
    size = math.prod(shape)
    _check_unpooling(values, indices, shape)
    if indices.size:
        check_range("indices", jnp.stack([indices.min(), indices.max()]), 0, size - 1)
    batch, channels = values.shape[0], values.shape[-1]
    positions = indices.reshape(batch, -1, channels)
    examples = jnp.arange(batch)[:, None, None]
    at = (examples, positions, jnp.arange(channels))
    order = jnp.broadcast_to(jnp.arange(1, positions.shape[1] + 1)[:, None], positions.shape)
    last = jnp.zeros((batch, size, channels), order.dtype).at[at].max(order)
    selected = jnp.where(last[at] == order, values.reshape(positions.shape), 0)
    flat = jnp.zeros((batch, size, channels), values.dtype).at[at].add(selected)
    return flat.reshape(batch, *shape, channels)


def _check_unpooling(values: Array, indices: Array, shape: Sequence[int]) -> None:
    if values.shape != indices.shape or values.ndim != len(shape) + 2:
        raise ValueError(
            "values and indices must have the same shape, [batch, *pooled, channels], with an axis "
            f"for each of the result's {list(shape)}, got {list(values.shape)} and "
            f"{list(indices.shape)}"
        )
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise ValueError(f"indices must be integers, as max_pool returns them, got {indices.dtype}")


def _gather(flat: Array, indices: Array) -> Array:
    positions = indices.reshape(flat.shape[0], -1, flat.shape[-1])
    return jnp.take_along_axis(flat, positions, axis=1).reshape(indices.shape)


def _positions(shape: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    """Flat input index of each window position, [*pooled, window]; padding repeats a valid one."""
    pooled = convolution_shape(shape, geometry)
    inside, flat = np.ones((), bool), np.zeros((), int)
    for i, (axis, size) in enumerate(zip(resolve_axes(shape, geometry), pooled, strict=True)):
        positions = axis.input_positions(size)
        view = [1] * (2 * len(shape))
        view[i], view[len(shape) + i] = positions.shape
        inside = inside & ((positions >= 0) & (positions < axis.size)).reshape(view)
        flat = flat * axis.size + positions.reshape(view)
    flat, inside = flat.reshape(*pooled, -1), inside.reshape(*pooled, -1)
    if not inside.any(-1).all():
        raise ValueError(
            f"every window must overlap the input, got spatial shape {list(shape)} and {geometry}; "
            "use less padding, or a larger window"
        )
    first = np.take_along_axis(flat, inside.argmax(-1)[..., None], axis=-1)
    return np.where(inside, flat, first).astype(np.int32)
