"""Convolution arithmetic: the sizes of convolutions and of their transposes, and the way back.

Axes do not interact. On one of i positions, a kernel of k with dilation d spans e = d (k − 1) + 1,
and stride s and padding (low, high) give o = ⌊(i + low + high − e) / s⌋ + 1. The transposed
convolution leads back, from i' = o to o' = s (i' − 1) + e − low − high + a, which is i where the
output padding a is what the stride left over, (i + low + high − e) mod s.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

Padding = Literal["same", "valid"] | Sequence[tuple[int, int]]
"""Zeros (low, high) at the ends of each axis; "valid": none; "same": see `resolve_axes`."""


class Geometry(NamedTuple):
    """How a convolution, or its transpose, goes over its input: one entry for each spatial axis.

    kernel:         positions of the kernel.
    strides:        steps between its places; None means one.
    padding:        of the convolution, also where its transpose is meant.
    dilation:       steps between the kernel's positions; None means one.
    output_padding: what a transposed convolution adds at the high ends; None means nothing.
    """

    kernel: Sequence[int]
    strides: Sequence[int] | None = None
    padding: Padding = "valid"
    dilation: Sequence[int] | None = None
    output_padding: Sequence[int] | None = None


class Axis(NamedTuple):
    """A geometry on one axis of an input, with nothing left open."""

    size: int
    kernel: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    output_padding: int

    @property
    def span(self) -> int:
        """Positions from the kernel's first to its last: e = d (k − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def slack(self) -> int:
        """How far the kernel can move: i + low + high − e."""
        return self.size + sum(self.padding) - self.span

    def input_positions(self, outputs: int) -> np.ndarray:
        """Input position under each of the kernel's.

        Args:
            outputs: how many places the kernel takes.

        Returns:
            [outputs, kernel]; positions below zero, and from `size` on, lie in the padding.
        """
        starts = self.stride * np.arange(outputs) - self.padding[0]
        return starts[:, None] + self.dilation * np.arange(self.kernel)


def resolve_axes(shape: Sequence[int], geometry: Geometry) -> list[Axis]:
    """A convolution's geometry on each axis of its input.

    "same" padding gives as many outputs as strides begin in the input, o = ⌈i / s⌉, with the fewest
    zeros, max(s (o − 1) + e − i, 0): half of them low, an odd one high. With unit strides and an
    odd kernel it is the half padding of Dumoulin & Visin.

    Args:
        shape: the spatial axes of the convolution's input.
        geometry: of the convolution.

    Returns:
        One `Axis` for each.

    Raises:
        ValueError: where lengths disagree, a number is out of range, or a word names no padding.
    """
    ones, none = (1,) * len(shape), (0,) * len(shape)
    strides = ones if geometry.strides is None else geometry.strides
    dilation = ones if geometry.dilation is None else geometry.dilation
    added = none if geometry.output_padding is None else geometry.output_padding
    padding = geometry.padding
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f'padding must be "same", "valid" or one (low, high) an axis, got {padding!r}'
            )
        padding = ((0, 0),) * len(shape)
    check_entries(len(shape), 1, kernel=geometry.kernel, strides=strides, dilation=dilation)
    check_entries(len(shape), 0, padding=padding, output_padding=added)
    axes = [
        Axis(*axis)
        for axis in zip(shape, geometry.kernel, strides, padding, dilation, added, strict=True)
    ]
    return [_same(axis) for axis in axes] if geometry.padding == "same" else axes


def convolution_shape(shape: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """Spatial axes of a convolution's output: o = ⌊(i + low + high − e) / s⌋ + 1 each.

    A pooling's too, whose window is the kernel.

    Args:
        shape: i, the spatial axes of the input.
        geometry: of the convolution.

    Returns:
        o, one entry for each axis.

    Raises:
        ValueError: as `resolve_axes`, and where a kernel does not fit in the padded input.

    Source: Dumoulin & Visin 2016, relations 1 to 7, and 15 (dilation).
    """
    axes = resolve_axes(shape, geometry)
    if any(axis.slack < 0 for axis in axes):
        raise ValueError(
            f"a kernel that spans {[axis.span for axis in axes]} positions does not fit in a "
            f"padded input of {[axis.slack + axis.span for axis in axes]}; use a smaller kernel, "
            "less dilation, more padding, or fewer or smaller strides before it"
        )
    return tuple(axis.slack // axis.stride + 1 for axis in axes)


def transposed_axes(shape: Sequence[int], geometry: Geometry) -> list[Axis]:
    """A transposed convolution's geometry on each axis of its input.

    "same" means the transpose of the convolution over s i' positions with "same" padding, and
    chooses the output padding: o' = s i'.

    Args:
        shape: i', the spatial axes of its input, which is the convolution's output.
        geometry: of the convolution whose transpose is meant, with the output padding.

    Returns:
        One `Axis` for each.

    Raises:
        ValueError: as `resolve_axes`; for an output padding together with "same", or one that is
            below neither its stride nor its dilation; and if an output axis would be empty.
    """
    if geometry.padding == "same":
        if geometry.output_padding is not None:
            raise ValueError(
                '"same" padding chooses the output padding of a transposed convolution; leave '
                "that out, give the padding as pairs, or name the wanted shape in decoder_geometry"
            )
        wanted = [axis.size * axis.stride for axis in resolve_axes(shape, geometry)]
        (geometry,) = decoder_geometry(shape, wanted, [geometry])
    axes = resolve_axes(shape, geometry)
    if any(axis.output_padding >= max(axis.stride, axis.dilation) for axis in axes):
        raise ValueError(
            f"output padding must be below the stride or the dilation of its axis, got "
            f"{[axis.output_padding for axis in axes]} for strides "
            f"{[axis.stride for axis in axes]}, dilation {[axis.dilation for axis in axes]}"
        )
    if any(_transposed_size(axis) < 1 for axis in axes):
        raise ValueError(
            f"a transposed convolution would leave {[_transposed_size(axis) for axis in axes]} "
            f"positions of {list(shape)}; use less padding, or a larger kernel"
        )
    return axes


def transposed_shape(shape: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """Spatial axes of a transposed convolution's output: o' = s (i' − 1) + e − low − high + a each.

    Args:
        shape: i', the spatial axes of its input, which is the convolution's output.
        geometry: of the convolution whose transpose is meant, with the output padding a.

    Returns:
        o', one entry for each axis.

    Raises:
        ValueError: as `transposed_axes`.

    Source: Dumoulin & Visin 2016, relations 8 to 14.
    """
    return tuple(_transposed_size(axis) for axis in transposed_axes(shape, geometry))


def decoder_geometry(
    code_shape: Sequence[int], shape: Sequence[int], layers: Sequence[Geometry]
) -> tuple[Geometry, ...]:
    """The layers by which transposed convolutions lead from a code to exactly the wanted shape.

    Seen from the wanted shape, a layer that gives o' positions starts from the i' that its
    convolution makes of them, with the output padding a = (o' + low + high − e) mod s. So each
    layer has one choice at most, and they all lead back to one code.

    Args:
        code_shape: spatial axes of the code.
        shape: the wanted spatial axes of the output.
        layers: the transposed convolutions, from the code on; their output padding is what is
            sought.

    Returns:
        The layers, their paddings as pairs, with their output paddings.

    Raises:
        ValueError: where no output paddings lead from this code to this shape: it names the code
            from which they do; and as `convolution_shape`, where none does.

    Source: Dumoulin & Visin 2016, relation 14.
    """
    found, wanted = [], tuple(shape)
    for layer in reversed(layers):
        axes = resolve_axes(wanted, layer)
        wanted = convolution_shape(wanted, layer)
        found.append(
            layer._replace(
                padding=tuple(axis.padding for axis in axes),
                output_padding=tuple(axis.slack % axis.stride for axis in axes),
            )
        )
    if wanted != tuple(code_shape):
        raise ValueError(
            f"no output padding leads {len(layers)} such layers from a code of "
            f"{list(code_shape)} to {list(shape)} positions: they start from a code of "
            f"{list(wanted)}; use that code, or other strides, kernels or padding"
        )
    return tuple(reversed(found))


def check_entries(axes: int, least: int, **named: Sequence) -> None:
    """Refuse what has not one entry for each of the spatial axes, or one that is too small.

    Args:
        axes: how many spatial axes there are.
        least: the least entry allowed.
        named: entries by the name of what they say.

    Raises:
        ValueError: naming what is wrong.
    """
    for name, values in named.items():
        if len(values) != axes or np.any(np.asarray(values) < least):
            raise ValueError(
                f"{name} must hold one entry for each of {axes} spatial axes, each at least "
                f"{least}, got {tuple(values)}"
            )


def _same(axis: Axis) -> Axis:
    outputs = -(-axis.size // axis.stride)
    total = max(axis.stride * (outputs - 1) + axis.span - axis.size, 0)
    return axis._replace(padding=(total // 2, total - total // 2))


def _transposed_size(axis: Axis) -> int:
    return axis.stride * (axis.size - 1) + axis.span - sum(axis.padding) + axis.output_padding
