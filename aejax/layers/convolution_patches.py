"""Convolutions as products of patches with a kernel's matrix, the way of processors.

XLA compiles a convolution's gradients for a CPU to plain loops where they stand inside a scan, many
times slower than the products of matrices that they are (jaxlib 0.10.2; `benchmarks.convolution`
times both). Here they are written as such: a patch is a row, the kernel a matrix, and the transpose
of taking patches is the sum of what lies on each place. Patches are taken of whichever is narrower,
the convolution's input or its output: they are what must be moved. JAX derives every derivative
from it, forward and reverse.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from aejax.layers.convolution_arithmetic import Axis
from aejax.layers.low_precision import product
from aejax.types import Array

LARGEST = 2**28
"""Bytes of patches beyond which a convolution is left to XLA: they repeat x for every position."""


def fits(batch: object, kernel: Array, out_shape: Sequence[int]) -> bool:
    """Whether the patches are few enough to be held, on a device for which they are the way.

    Args:
        batch: examples; of a symbolic number (`jax.export`), nobody knows whether they fit.
        kernel: W [*window, inputs, outputs] of the convolution.
        out_shape: spatial axes of its output.

    Returns:
        True where `correlated` and `transposed` should be used.
    """
    if not isinstance(batch, int):
        return False
    numbers = batch * math.prod(out_shape) * math.prod(kernel.shape[:-1])
    return jax.default_backend() == "cpu" and numbers * kernel.dtype.itemsize <= LARGEST


@partial(jax.jit, static_argnames=("axes", "out_shape"))  # one program, where nothing is compiled
def correlated(
    x: Array, kernel: Array, axes: tuple[Axis, ...], out_shape: tuple[int, ...]
) -> Array:
    """Cross-correlation y_p = Σ_q x_{s p + d q − low} W_q.

    Args:
        x: [batch, *spatial, inputs].
        kernel: W [*window, inputs, outputs].
        axes: window, stride, dilation and padding of each spatial axis.
        out_shape: spatial axes of y.

    Returns:
        y [batch, *out_shape, outputs].
    """
    in_full = jnp.finfo(x.dtype).bits >= 32  # few bits are summed in a product, or they are lost
    if in_full and _outputs_are_narrower(kernel, axes):
        y = jax.ShapeDtypeStruct((x.shape[0], *out_shape, kernel.shape[-1]), x.dtype)
        (summed,) = jax.linear_transpose(lambda y: _joined(y, kernel, axes, x.shape[1:-1]), y)(x)
        return summed
    return _multiplied(_patches(x, axes, out_shape), _matrix(kernel, axes))


@partial(jax.jit, static_argnames=("axes", "shape"))
def transposed(y: Array, kernel: Array, axes: tuple[Axis, ...], shape: tuple[int, ...]) -> Array:
    """Its transpose: what each y_p W_qᵀ adds to the place that x_{s p + d q − low} had.

    Args:
        y: [batch, *out_spatial, outputs].
        kernel: W of the convolution.
        axes: of the convolution.
        shape: spatial axes of x.

    Returns:
        x [batch, *shape, inputs].
    """
    if _outputs_are_narrower(kernel, axes):
        return _joined(y, kernel, axes, shape)
    rows = _multiplied(y, _matrix(kernel, axes).T)
    x = jax.ShapeDtypeStruct((y.shape[0], *shape, kernel.shape[-2]), rows.dtype)
    (summed,) = jax.linear_transpose(lambda x: _patches(x, axes, y.shape[1:-1]), x)(rows)
    return summed


def _patches(x: Array, axes: Sequence[Axis], out_shape: Sequence[int]) -> Array:
    """[batch, *out_shape, window · channels]: by slices of x, one for each place in the window."""
    if _folds(axes):
        window = [axis.kernel // axis.stride for axis in axes]
        x = _folded(x, axes, [out + size - 1 for out, size in zip(out_shape, window, strict=True)])
        axes = [Axis(0, size, 1, (0, 0), 1, 0) for size in window]
    spans = [(out - 1) * axis.stride + 1 for out, axis in zip(out_shape, axes, strict=True)]
    lows = [axis.padding[0] for axis in axes]
    x = padded(
        x,
        [
            (low, axis.span - 1 + span - size - low, 0)
            for low, axis, span, size in zip(lows, axes, spans, x.shape[1:-1], strict=True)
        ],
    )
    places = itertools.product(*(range(0, axis.span, axis.dilation) for axis in axes))
    steps = (1, *(axis.stride for axis in axes), 1)
    slices = [
        jax.lax.slice(
            x,
            (0, *place, 0),
            (x.shape[0], *(map(operator.add, place, spans)), x.shape[-1]),
            steps,
        )
        for place in places
    ]
    return jnp.concatenate(slices, axis=-1)


def _joined(y: Array, kernel: Array, axes: Sequence[Axis], shape: Sequence[int]) -> Array:
    """`transposed`, block by block of x: each is one product of the y that reach into it."""
    window = [axis.kernel // axis.stride for axis in axes]
    blocks = [out + size - 1 for out, size in zip(y.shape[1:-1], window, strict=True)]
    places = itertools.product(*map(range, window))
    shifted = [
        padded(y, [(p, size - 1 - p, 0) for p, size in zip(place, window, strict=True)])
        for place in places
    ]
    kernel, channels = _split(kernel, axes), kernel.shape[-2]
    matrix = jnp.moveaxis(kernel, -1, len(axes)).reshape(math.prod(window) * kernel.shape[-1], -1)
    rows = _multiplied(jnp.concatenate(shifted, axis=-1), matrix)
    x = jax.ShapeDtypeStruct((y.shape[0], *shape, channels), rows.dtype)
    (unfolded,) = jax.linear_transpose(lambda x: _folded(x, axes, blocks), x)(rows)
    return unfolded


def _multiplied(rows: Array, matrix: Array) -> Array:
    """Rows times a matrix; XLA may neither copy nor turn the long operand to join it to others."""
    flat = jax.lax.optimization_barrier(rows.reshape(-1, rows.shape[-1]))
    found = jax.lax.optimization_barrier(product(flat, matrix))
    return found.reshape(*rows.shape[:-1], -1)


def _outputs_are_narrower(kernel: Array, axes: Sequence[Axis]) -> bool:
    """Than blocks of the input, where such blocks tile the window."""
    *_, inputs, outputs = kernel.shape
    return _folds(axes) and outputs < inputs * math.prod(axis.stride for axis in axes)


def _matrix(kernel: Array, axes: Sequence[Axis]) -> Array:
    """[window · inputs, outputs], in the order of the patches' elements."""
    kernel = _split(kernel, axes) if _folds(axes) else kernel
    return kernel.reshape(-1, kernel.shape[-1])


def _split(kernel: Array, axes: Sequence[Axis]) -> Array:
    """[*blocks of the window, *places in a block, inputs, outputs]."""
    sizes = [size for axis in axes for size in (axis.kernel // axis.stride, axis.stride)]
    order = [*range(0, len(sizes), 2), *range(1, len(sizes), 2), len(sizes), len(sizes) + 1]
    return kernel.reshape(*sizes, *kernel.shape[-2:]).transpose(order)


def _folds(axes: Sequence[Axis]) -> bool:
    """Whether blocks of stride × stride tile every window: then they are taken whole."""
    return all(axis.kernel % axis.stride == 0 and axis.dilation == 1 for axis in axes)


def _folded(x: Array, axes: Sequence[Axis], blocks: Sequence[int]) -> Array:
    """[batch, *blocks, strides · channels]: each block of strides becomes one position."""
    strides = [axis.stride for axis in axes]
    ends = [
        (axis.padding[0], count * axis.stride - size - axis.padding[0], 0)
        for axis, count, size in zip(axes, blocks, x.shape[1:-1], strict=True)
    ]
    split = [size for pair in zip(blocks, strides, strict=True) for size in pair]
    order = [0, *range(1, len(split), 2), *range(2, len(split) + 1, 2), len(split) + 1]
    tiled = padded(x, ends).reshape(x.shape[0], *split, x.shape[-1]).transpose(order)
    return tiled.reshape(x.shape[0], *blocks, -1)


def padded(x: Array, edges: Sequence[tuple[int, int, int]]) -> Array:
    """x with zeros at the ends of each spatial axis and between its positions.

    Args:
        x: [batch, *spatial, channels].
        edges: (low, high, between) of each spatial axis; a negative number crops.

    Returns:
        The array, padded.
    """
    return jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
