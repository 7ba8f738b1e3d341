"""Convolution as a matrix product of patches (im2col), and its transpose (col2im), for CPUs.

Inside a scan, XLA compiles the gradients of a convolution for a CPU to plain loops, many times
slower than equivalent matrix products (jaxlib 0.10.2; `benchmarks.convolution` times both). Here
each patch is a row and the kernel a matrix (im2col); the transpose adds the rows back at the
positions of their patches (col2im). Patches are taken from the convolution's input or its output,
whichever has fewer channels, because copying them takes most of the time. JAX derives the forward-
and reverse-mode derivatives.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from aejax.layers.convolution_arithmetic import Axis
from aejax.layers.low_precision import matmul
from aejax.types import Array

MAX_PATCH_BYTES = 2**28
"""Maximum size of the patches, which repeat x for every kernel position; above it, XLA is used."""


def patches_fit(batch: object, kernel: Array, out_shape: Sequence[int]) -> bool:
    """Whether the patches take at most `MAX_PATCH_BYTES`.

    Args:
        batch: number of examples; False is returned for a symbolic one (`jax.export`).
        kernel: W [*window, inputs, outputs] of the convolution.
        out_shape: spatial shape of its output.

    Returns:
        True if `convolve` and `convolve_transposed` should be used on a CPU.
    """
    if not isinstance(batch, int):
        return False
    elements = batch * math.prod(out_shape) * math.prod(kernel.shape[:-1])
    return elements * kernel.dtype.itemsize <= MAX_PATCH_BYTES


@partial(jax.jit, static_argnames=("axes", "out_shape"))  # one program, even outside of jit
def convolve(x: Array, kernel: Array, axes: tuple[Axis, ...], out_shape: tuple[int, ...]) -> Array:
    """Cross-correlation y_p = Σ_q x_{s p + d q − low} W_q.

    Args:
        x: [batch, *spatial, inputs].
        kernel: W [*window, inputs, outputs].
        axes: window, stride, dilation and padding of each spatial axis.
        out_shape: spatial shape of y.

    Returns:
        y [batch, *out_shape, outputs].
    """
    # The transposed path accumulates in the dtype of x, which is inaccurate in low precision.
    if jnp.finfo(x.dtype).bits >= 32 and _outputs_are_narrower(kernel, axes):
        y = jax.ShapeDtypeStruct((x.shape[0], *out_shape, kernel.shape[-1]), x.dtype)
        transpose = partial(_col2im_by_blocks, kernel=kernel, axes=axes, shape=x.shape[1:-1])
        (found,) = jax.linear_transpose(transpose, y)(x)
        return found
    return _matmul_with_barriers(_im2col(x, axes, out_shape), _kernel_matrix(kernel, axes))


@partial(jax.jit, static_argnames=("axes", "shape"))
def convolve_transposed(
    y: Array, kernel: Array, axes: tuple[Axis, ...], shape: tuple[int, ...]
) -> Array:
    """Transpose of `convolve`: y_p W_qᵀ is added to x_{s p + d q − low} for all p and q.

    Args:
        y: [batch, *out_spatial, outputs].
        kernel: W of the convolution.
        axes: axes of the convolution.
        shape: spatial shape of x.

    Returns:
        x [batch, *shape, inputs].
    """
    if _outputs_are_narrower(kernel, axes):
        return _col2im_by_blocks(y, kernel, axes, shape)
    rows = _matmul_with_barriers(y, _kernel_matrix(kernel, axes).T)
    x = jax.ShapeDtypeStruct((y.shape[0], *shape, kernel.shape[-2]), rows.dtype)
    (summed,) = jax.linear_transpose(lambda x: _im2col(x, axes, y.shape[1:-1]), x)(rows)
    return summed


def _im2col(x: Array, axes: Sequence[Axis], out_shape: Sequence[int]) -> Array:
    """Patches [batch, *out_shape, window · channels], from one slice of x per window position."""
    if _strides_tile_window(axes):
        window = [axis.kernel // axis.stride for axis in axes]
        blocks = [out + size - 1 for out, size in zip(out_shape, window, strict=True)]
        x = _space_to_depth(x, axes, blocks)
        axes = [Axis(0, size, 1, (0, 0), 1, 0) for size in window]
    spans = [(out - 1) * axis.stride + 1 for out, axis in zip(out_shape, axes, strict=True)]
    lows = [axis.padding[0] for axis in axes]
    x = pad_spatial(
        x,
        [
            (low, axis.span - 1 + span - size - low, 0)
            for low, axis, span, size in zip(lows, axes, spans, x.shape[1:-1], strict=True)
        ],
    )
    offsets = itertools.product(*(range(0, axis.span, axis.dilation) for axis in axes))
    steps = (1, *(axis.stride for axis in axes), 1)
    slices = [
        jax.lax.slice(
            x,
            (0, *offset, 0),
            (x.shape[0], *(map(operator.add, offset, spans)), x.shape[-1]),
            steps,
        )
        for offset in offsets
    ]
    return jnp.concatenate(slices, axis=-1)


def _col2im_by_blocks(y: Array, kernel: Array, axes: Sequence[Axis], shape: Sequence[int]) -> Array:
    """`convolve_transposed` as one matrix product, whose rows are the stride-sized blocks of x."""
    window = [axis.kernel // axis.stride for axis in axes]
    blocks = [out + size - 1 for out, size in zip(y.shape[1:-1], window, strict=True)]
    offsets = itertools.product(*map(range, window))
    shifted = [
        pad_spatial(y, [(p, size - 1 - p, 0) for p, size in zip(offset, window, strict=True)])
        for offset in offsets
    ]
    kernel, channels = _split_kernel(kernel, axes), kernel.shape[-2]
    matrix = jnp.moveaxis(kernel, -1, len(axes)).reshape(math.prod(window) * kernel.shape[-1], -1)
    rows = _matmul_with_barriers(jnp.concatenate(shifted, axis=-1), matrix)
    x = jax.ShapeDtypeStruct((y.shape[0], *shape, channels), rows.dtype)
    (unfolded,) = jax.linear_transpose(lambda x: _space_to_depth(x, axes, blocks), x)(rows)
    return unfolded


def _matmul_with_barriers(rows: Array, matrix: Array) -> Array:
    """Rows times a matrix; barriers keep XLA from transposing the large operand when it fuses."""
    flat = jax.lax.optimization_barrier(rows.reshape(-1, rows.shape[-1]))
    found = jax.lax.optimization_barrier(matmul(flat, matrix))
    return found.reshape(*rows.shape[:-1], -1)


def _outputs_are_narrower(kernel: Array, axes: Sequence[Axis]) -> bool:
    """Whether strides tile the window and y has fewer channels than a stride-sized block of x."""
    *_, inputs, outputs = kernel.shape
    return _strides_tile_window(axes) and outputs < inputs * math.prod(axis.stride for axis in axes)


def _kernel_matrix(kernel: Array, axes: Sequence[Axis]) -> Array:
    """Kernel as a matrix [window · inputs, outputs], with rows in the order of a patch."""
    kernel = _split_kernel(kernel, axes) if _strides_tile_window(axes) else kernel
    return kernel.reshape(-1, kernel.shape[-1])


def _split_kernel(kernel: Array, axes: Sequence[Axis]) -> Array:
    """Kernel as [*blocks of the window, *positions in a block, inputs, outputs]."""
    sizes = [size for axis in axes for size in (axis.kernel // axis.stride, axis.stride)]
    order = [*range(0, len(sizes), 2), *range(1, len(sizes), 2), len(sizes), len(sizes) + 1]
    return kernel.reshape(*sizes, *kernel.shape[-2:]).transpose(order)


def _strides_tile_window(axes: Sequence[Axis]) -> bool:
    """Whether blocks of stride × stride tile the window, so that `_space_to_depth` applies."""
    return all(axis.kernel % axis.stride == 0 and axis.dilation == 1 for axis in axes)


def _space_to_depth(x: Array, axes: Sequence[Axis], blocks: Sequence[int]) -> Array:
    """Space-to-depth [batch, *blocks, strides · channels]: a stride-sized block is one position."""
    strides = [axis.stride for axis in axes]
    ends = [
        (axis.padding[0], count * axis.stride - size - axis.padding[0], 0)
        for axis, count, size in zip(axes, blocks, x.shape[1:-1], strict=True)
    ]
    split = [size for pair in zip(blocks, strides, strict=True) for size in pair]
    order = [0, *range(1, len(split), 2), *range(2, len(split) + 1, 2), len(split) + 1]
    tiled = pad_spatial(x, ends).reshape(x.shape[0], *split, x.shape[-1]).transpose(order)
    return tiled.reshape(x.shape[0], *blocks, -1)


def pad_spatial(x: Array, edges: Sequence[tuple[int, int, int]]) -> Array:
    """Pad each spatial axis with zeros at its ends and between its positions.

    Args:
        x: [batch, *spatial, channels].
        edges: number of zeros (low, high, between) of each spatial axis; a negative one crops.

    Returns:
        The padded array.
    """
    return jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
