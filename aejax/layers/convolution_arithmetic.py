"""Convolution arithmetic: output shapes of convolutions and of transposed convolutions.

The axes are independent. On an axis of i positions, a kernel of k positions with dilation d spans
e = d (k − 1) + 1, and stride s and padding (low, high) give o = ⌊(i + low + high − e) / s⌋ + 1.
The transposed convolution maps i' = o to o' = s (i' − 1) + e − low − high + a. This is i if the
output padding a is the remainder of the stride, (i + low + high − e) mod s.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

Padding = Literal["same", "valid"] | Sequence[tuple[int, int]]
"""Zeros (low, high) at the ends of each axis, "valid" (none) or "same" (see `resolve_axes`)."""


class Geometry(NamedTuple):
    """Geometry of a convolution or of its transpose, with one entry for each spatial axis.

    kernel:         size of the kernel.
    strides:        input positions from one output to the next (default: 1).
    padding:        padding of the convolution, also for its transpose.
    dilation:       input positions from one kernel element to the next (default: 1).
    output_padding: positions that a transposed convolution adds at the high ends (default: none).
    """

    kernel: Sequence[int]
    strides: Sequence[int] | None = None
    padding: Padding = "valid"
    dilation: Sequence[int] | None = None
    output_padding: Sequence[int] | None = None


class Axis(NamedTuple):
    """Geometry on one axis of an input, with every default resolved."""

    size: int
    kernel: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    output_padding: int

    @property
    def span(self) -> int:
        """Extent of the dilated kernel: e = d (k − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def slack(self) -> int:
        """Number of positions by which the kernel can move: i + low + high − e."""
        return self.size + sum(self.padding) - self.span

    def input_positions(self, outputs: int) -> np.ndarray:
        """Input position of each kernel position, for each output.

        Args:
            outputs: number of outputs.

        Returns:
            [outputs, kernel]; positions below 0 or from `size` on are padding.
        """
        starts = self.stride * np.arange(outputs) - self.padding[0]
        return starts[:, None] + self.dilation * np.arange(self.kernel)


def resolve_axes(shape: Sequence[int], geometry: Geometry) -> list[Axis]:
    """Resolve the defaults of a convolution's geometry on each axis of its input.

    "same" padding gives o = ⌈i / s⌉ outputs with the fewest zeros, max(s (o − 1) + e − i, 0): half
    of them at each end, and one more at the high end if their number is odd. For unit strides and
    an odd kernel it is the half padding of Dumoulin & Visin.

    Args:
        shape: spatial shape of the convolution's input.
        geometry: geometry of the convolution.

    Returns:
        One `Axis` per spatial axis.

    Raises:
        ValueError: if lengths differ, an entry is out of range, or the padding is an unknown
            string.
    """
    ones, zeros = (1,) * len(shape), (0,) * len(shape)
    strides = ones if geometry.strides is None else geometry.strides
    dilation = ones if geometry.dilation is None else geometry.dilation
    added = zeros if geometry.output_padding is None else geometry.output_padding
    padding = geometry.padding
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f'padding must be "same", "valid" or one (low, high) per axis, got {padding!r}'
            )
        padding = ((0, 0),) * len(shape)
    check_entries(len(shape), 1, kernel=geometry.kernel, strides=strides, dilation=dilation)
    check_entries(len(shape), 0, padding=padding, output_padding=added)
    axes = [
        Axis(*axis)
        for axis in zip(shape, geometry.kernel, strides, padding, dilation, added, strict=True)
    ]
    return [_with_same_padding(axis) for axis in axes] if geometry.padding == "same" else axes


def convolution_shape(shape: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """Spatial shape of a convolution's output: o = ⌊(i + low + high − e) / s⌋ + 1 on each axis.

    It is also the output shape of pooling with a window of the kernel's size.

    Args:
        shape: i, spatial shape of the input.
        geometry: geometry of the convolution.

    Returns:
        o, one entry per axis.

    Raises:
        ValueError: as `resolve_axes`, and if a kernel does not fit in the padded input.

    Example:
        >>> from aejax import Geometry
        >>> from aejax.layers.convolution_arithmetic import convolution_shape
        >>> convolution_shape((28, 28), Geometry((4, 4), strides=(2, 2), padding="same"))
        (14, 14)

    Source: Dumoulin & Visin 2016, relations 1 to 7, and 15 (dilation).
    """
    axes = resolve_axes(shape, geometry)
    if any(axis.slack < 0 for axis in axes):
        raise ValueError(
            f"a kernel that spans {[axis.span for axis in axes]} positions does not fit in a "
            f"padded input of {[axis.slack + axis.span for axis in axes]}; use a smaller kernel, "
            "less dilation, more padding, or fewer or smaller strides in the layers before"
        )
    return tuple(axis.slack // axis.stride + 1 for axis in axes)


def transposed_axes(shape: Sequence[int], geometry: Geometry) -> list[Axis]:
    """Resolve the defaults of a transposed convolution's geometry on each axis of its input.

    "same" means the transpose of the "same" convolution of s i' positions: its output padding is
    chosen so that o' = s i'.

    Args:
        shape: i', spatial shape of its input, which is the convolution's output.
        geometry: geometry of the convolution that is transposed, with the output padding.

    Returns:
        One `Axis` per spatial axis.

    Raises:
        ValueError: as `resolve_axes`; for an output padding together with "same", or one that is
            below neither its stride nor its dilation; and if an output axis would be empty.
    """
    if geometry.padding == "same":
        if geometry.output_padding is not None:
            raise ValueError(
                '"same" padding chooses the output padding of a transposed convolution; omit the '
                "output padding, give the padding as pairs, or use decoder_geometry for a shape"
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
            f"a transposed convolution of {list(shape)} positions would have "
            f"{[_transposed_size(axis) for axis in axes]}; use less padding, or a larger kernel"
        )
    return axes


def transposed_shape(shape: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """Spatial shape of a transposed convolution's output: o' = s (i' − 1) + e − low − high + a.

    Args:
        shape: i', spatial shape of its input, which is the convolution's output.
        geometry: geometry of the convolution that is transposed, with the output padding a.

    Returns:
        o', one entry per axis.

    Raises:
        ValueError: as `transposed_axes`.

    Source: Dumoulin & Visin 2016, relations 8 to 14.
    """
    return tuple(_transposed_size(axis) for axis in transposed_axes(shape, geometry))


def decoder_geometry(
    code_shape: Sequence[int], shape: Sequence[int], layers: Sequence[Geometry]
) -> tuple[Geometry, ...]:
    """Transposed convolutions with the output padding that gives exactly the given output shape.

    Backwards from the output: a layer with o' output positions has i' inputs, the output size of
    its convolution for o' inputs, and the output padding a = (o' + low + high − e) mod s. So the
    output paddings and the shape of the code are unique.

    Args:
        code_shape: spatial shape of the code.
        shape: spatial shape of the output.
        layers: transposed convolutions, in order from the code; their output padding is ignored.

    Returns:
        The layers, with padding as pairs and with output padding.

    Raises:
        ValueError: if no output padding leads from this code to this shape (the message states the
            code shape that is needed); and as `convolution_shape`.

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
            f"{list(code_shape)} to {list(shape)} positions: they need a code of "
            f"{list(wanted)}; use that code, or other strides, kernels or padding"
        )
    return tuple(reversed(found))


def check_entries(axes: int, minimum: int, **named: Sequence) -> None:
    """Check that each argument has one sufficiently large entry per spatial axis.

    Args:
        axes: number of spatial axes.
        minimum: smallest entry allowed.
        named: entries, by the name of the argument.

    Raises:
        ValueError: naming the argument.
    """
    for name, values in named.items():
        if len(values) != axes or np.any(np.asarray(values) < minimum):
            raise ValueError(
                f"{name} must have one entry for each of {axes} spatial axes, each at least "
                f"{minimum}, got {tuple(values)}"
            )


def _with_same_padding(axis: Axis) -> Axis:
    outputs = -(-axis.size // axis.stride)
    total = max(axis.stride * (outputs - 1) + axis.span - axis.size, 0)
    return axis._replace(padding=(total // 2, total - total // 2))


def _transposed_size(axis: Axis) -> int:
    return axis.stride * (axis.size - 1) + axis.span - sum(axis.padding) + axis.output_padding
