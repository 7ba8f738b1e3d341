"""Convolution, transposed convolution and the convolution matrix, N-dimensional, channels last.

A transposed convolution takes the kernel of the convolution that it transposes, so that an encoder
and its tied decoder share one array. On a CPU, convolutions whose patches fit into memory are
computed by im2col (`convolution_patches`); all others are XLA's, called in `_lax_convolution`. The
platform is that for which a program is lowered, not that on which it is traced.
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aejax.layers import convolution_patches
from aejax.layers.convolution_arithmetic import (
    Axis,
    Geometry,
    Padding,
    convolution_shape,
    resolve_axes,
    transposed_axes,
    transposed_shape,
)
from aejax.layers.convolution_patches import pad_spatial
from aejax.promotion import promote_arrays
from aejax.types import Array


def convolution(
    x: Float[Array, "batch *spatial inputs"],
    kernel: Float[Array, "*window group_inputs outputs"],
    *,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> Float[Array, "batch *out_spatial outputs"]:
    """Convolution (cross-correlation) y_p = Σ_q x_{s p + d q − low} W_q, q in the kernel's window.

    Args:
        x: input, channels last.
        kernel: W in Flax's layout; each group has `inputs / groups` input channels.
        strides: s, input positions from one output to the next (default: 1).
        padding: zeros (low, high) at the ends of each axis, "valid" or "same".
        dilation: d, input positions from one kernel element to the next (default: 1).
        groups: number of groups of consecutive channels, as `feature_group_count` in JAX.

    Returns:
        y, of the shape `convolution_shape`.

    Raises:
        ValueError: if axes or channels do not match, and as `convolution_shape`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.convolution import convolution
        >>> x, kernel = jnp.ones((1, 28, 28, 3)), jnp.ones((4, 4, 3, 16))
        >>> convolution(x, kernel, strides=(2, 2), padding="same").shape
        (1, 14, 14, 16)

    Source: Dumoulin & Visin 2016, ch. 1 and 2.
    """
    _check_channels(kernel, groups, inputs=x.shape[-1])
    geometry = Geometry(kernel.shape[:-2], strides, padding, dilation)
    shape = x.shape[1:-1]
    axes, out_shape = resolve_axes(shape, geometry), convolution_shape(shape, geometry)
    x, kernel = promote_arrays(x, kernel)
    by_xla = partial(_convolve, axes=axes, groups=groups)
    if groups > 1 or not convolution_patches.patches_fit(x.shape[0], kernel, out_shape):
        return by_xla(x, kernel)
    by_patches = partial(convolution_patches.convolve, axes=tuple(axes), out_shape=out_shape)
    return jax.lax.platform_dependent(x, kernel, cpu=by_patches, default=by_xla)


def transposed_convolution(
    y: Float[Array, "batch *spatial outputs"],
    kernel: Float[Array, "*window group_inputs outputs"],
    *,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    groups: int = 1,
) -> Float[Array, "batch *out_spatial inputs"]:
    """Transposed convolution: x_r = Σ W_q y_p, over all p and q with s p + d q − low = r.

    If the convolution is x ↦ x C, with its `convolution_matrix` C, this is y ↦ y Cᵀ, the gradient
    of the convolution with respect to its input. It restores the shape of x, not its values.

    Args:
        y: array with the shape of the convolution's output, channels last.
        kernel: W of the convolution, from `inputs` to `outputs`.
        strides: s of the convolution (default: 1).
        padding: padding of the convolution; "same" gives s times as many positions.
        dilation: d of the convolution (default: 1).
        output_padding: positions added at the high end of each axis, fewer than its stride or its
            dilation (default: none); `decoder_geometry` computes those for a given shape.
        groups: number of groups of the convolution.

    Returns:
        x, of the shape `transposed_shape`, with `groups` times the kernel's input channels.

    Raises:
        ValueError: if axes or channels do not match, and as `transposed_axes`.

    Source: Dumoulin & Visin 2016, ch. 4.
    """
    _check_channels(kernel, groups, outputs=y.shape[-1])
    geometry = Geometry(kernel.shape[:-2], strides, padding, dilation, output_padding)
    axes, shape = transposed_axes(y.shape[1:-1], geometry), y.shape[1:-1]
    y, kernel = promote_arrays(y, kernel)
    by_xla = partial(_convolve_transposed, axes=axes, groups=groups)
    if groups > 1 or not convolution_patches.patches_fit(y.shape[0], kernel, shape):
        return by_xla(y, kernel)
    by_patches = partial(
        convolution_patches.convolve_transposed,
        axes=tuple(axes),
        shape=transposed_shape(shape, geometry),
    )
    return jax.lax.platform_dependent(y, kernel, cpu=by_patches, default=by_xla)


def zero_inserted(
    y: Float[Array, "batch *spatial outputs"], geometry: Geometry
) -> Float[Array, "batch *stretched outputs"]:
    """Zero insertion: y with s − 1 zeros between its positions, and zeros around it.

    transposed_convolution(y, W) is convolution(zero_inserted(y), flipped(W)) with unit strides and
    the same dilation. There are e − 1 − low zeros at the low end and e − 1 − high + a at the high
    end (e and a as in `convolution_arithmetic`); a negative number crops.

    Args:
        y: input of the transposed convolution, channels last.
        geometry: geometry of the convolution that is transposed.

    Returns:
        y with the zeros inserted.

    Raises:
        ValueError: as `transposed_axes`.

    Source: Dumoulin & Visin 2016, relations 8 to 14.
    """
    axes = transposed_axes(y.shape[1:-1], geometry)
    return pad_spatial(y, [(*_zeros_around(axis), axis.stride - 1) for axis in axes])


def flipped(
    kernel: Float[Array, "*window group_inputs outputs"], *, groups: int = 1
) -> Float[Array, "*window group_outputs inputs"]:
    """Kernel of a transposed convolution: W with reversed spatial axes and swapped channels.

    Args:
        kernel: W of the convolution that is transposed.
        groups: number of groups of the convolution.

    Returns:
        W reversed along each spatial axis, with inputs and outputs swapped within each group.
    """
    *window, inputs, outputs = kernel.shape
    by_group = jnp.flip(kernel, axis=range(len(window))).reshape(*window, inputs, groups, -1)
    return jnp.swapaxes(by_group, -1, -3).reshape(*window, outputs // groups, groups * inputs)


def convolution_matrix(
    kernel: Float[Array, "*window group_inputs outputs"],
    *,
    shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> Float[Array, "all_inputs all_outputs"]:
    """Matrix C of a convolution: y = x C for flattened x and y, as the kernel of a dense layer.

    Dumoulin & Visin write y = C x for column vectors; their matrix is the transpose of this one.

    Args:
        kernel: W.
        shape: spatial shape of the convolution's input.
        strides: strides of the convolution (default: 1).
        padding: padding of the convolution.
        dilation: dilation of the convolution (default: 1).
        groups: number of groups of the convolution.

    Returns:
        C, from all positions and channels of the input to all of the output. It is a dense array,
        zeros included, so it suits small inputs only.

    Raises:
        ValueError: as `convolution`.

    Source: Dumoulin & Visin 2016, §4.1.
    """
    _check_channels(kernel, groups)
    geometry = Geometry(kernel.shape[:-2], strides, padding, dilation)
    out_shape = convolution_shape(shape, geometry)
    *window, inputs, outputs = kernel.shape
    by_group = kernel.reshape(*window, inputs, groups, outputs // groups)
    matrix = jnp.einsum("...igo,hg->...higo", by_group, jnp.eye(groups, dtype=kernel.dtype))
    matrix = matrix.reshape(*window, groups * inputs, outputs)
    for axis, out_size in zip(resolve_axes(shape, geometry), out_shape, strict=True):
        # Replaces the kernel axis by (o, i) at the end: finally [inputs, outputs, o_1, i_1, …].
        matches = axis.input_positions(out_size)[..., None] == np.arange(axis.size)
        matrix = jnp.tensordot(
            matrix, matches.swapaxes(0, 1).astype(kernel.dtype), axes=(0, 0), precision="highest"
        )
    order = [*range(3, matrix.ndim, 2), 0, *range(2, matrix.ndim, 2), 1]
    return matrix.transpose(order).reshape(-1, math.prod(out_shape) * outputs)


def _convolve(x: Array, kernel: Array, *, axes: list[Axis], groups: int) -> Array:
    """`convolution` by XLA."""
    axes, outer_padding = _split_padding(axes)
    return _lax_convolution(
        pad_spatial(x, [(low, high, 0) for low, high in outer_padding]),
        kernel,
        strides=[axis.stride for axis in axes],
        padding=[axis.padding for axis in axes],
        stretch=[1] * len(axes),
        dilation=[axis.dilation for axis in axes],
        groups=groups,
    )


def _convolve_transposed(y: Array, kernel: Array, *, axes: list[Axis], groups: int) -> Array:
    """`transposed_convolution` by XLA."""
    axes, outer_padding = _split_padding(axes)
    x = _lax_convolution(
        y,
        flipped(kernel, groups=groups),
        strides=[1] * len(axes),
        padding=[_zeros_around(axis) for axis in axes],
        stretch=[axis.stride for axis in axes],
        dilation=[axis.dilation for axis in axes],
        groups=groups,
    )
    return pad_spatial(x, [(-low, -high, 0) for low, high in outer_padding])


def _lax_convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    stretch: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Array:
    """XLA's cross-correlation of x, with stretch − 1 zeros between its positions, then padded."""
    spatial = "".join(chr(ord("a") + axis) for axis in range(len(strides)))
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=padding,
        lhs_dilation=stretch,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )


def _split_padding(axes: list[Axis]) -> tuple[list[Axis], list[tuple[int, int]]]:
    """Axes of XLA's convolution, and the padding to apply separately, outside of it.

    Works around a crash of XLA (jaxlib 0.10.2, CPU, float64), which mistakes an axis with kernel
    and stride 2 whose transpose needs no zeros around it for an axis of groups.
    """
    affected = [
        (axis.kernel, axis.stride, axis.dilation, axis.padding) == (2, 2, 1, (1, 1))
        for axis in axes
    ]
    pairs = list(zip(axes, affected, strict=True))
    inside = [axis._replace(padding=(0, 0)) if split else axis for axis, split in pairs]
    return inside, [axis.padding if split else (0, 0) for axis, split in pairs]


def _zeros_around(axis: Axis) -> tuple[int, int]:
    """Zeros (low, high) around the zero-inserted input of a transposed convolution."""
    low, high = (axis.span - 1 - padding for padding in axis.padding)
    return low, high + axis.output_padding


def _check_channels(
    kernel: Array, groups: int, *, inputs: int | None = None, outputs: int | None = None
) -> None:
    *_, group_inputs, kernel_outputs = kernel.shape
    if groups < 1 or kernel_outputs % groups:
        raise ValueError(
            f"groups must divide the kernel's {kernel_outputs} outputs, got {groups} groups"
        )
    if inputs not in (None, groups * group_inputs):
        raise ValueError(
            f"a kernel with {group_inputs} inputs in each of {groups} groups expects "
            f"{groups * group_inputs} channels, got {inputs}; the shape of a kernel is [*window, "
            "inputs / groups, outputs]"
        )
    if outputs not in (None, kernel_outputs):
        raise ValueError(
            f"the transpose of a convolution with {kernel_outputs} output channels expects "
            f"{kernel_outputs} channels, got {outputs}; the shape of its kernel is that of the "
            "convolution, [*window, inputs / groups, outputs]"
        )
