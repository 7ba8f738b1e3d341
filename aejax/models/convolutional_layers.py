"""Layers of convolutional autoencoders: two ways of downsampling and two of upsampling.

All four use the same kernel shape and agree on spatial shapes: a downsampling layer outputs
`convolution_shape`, an upsampling layer restores the original shape. So any pair can be combined,
tied or untied.
"""

from collections.abc import Callable
from typing import Literal

import jax
from jaxtyping import Float

from aejax.layers.convolution import convolution, transposed_convolution
from aejax.layers.convolution_arithmetic import Geometry, convolution_shape, decoder_geometry
from aejax.layers.pooling import max_pool
from aejax.types import Array

Down = Callable[[Array, Array, Geometry], Array]
"""(x, kernel, geometry) -> h, with the spatial shape of `convolution_shape`."""

Up = Callable[[Array, Array, Geometry, tuple[int, ...]], Array]
"""(h, kernel, geometry, shape) -> x, with the spatial shape `shape`."""


def strided(
    x: Float[Array, "batch *spatial inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    geometry: Geometry,
) -> Float[Array, "batch *smaller outputs"]:
    """Strided convolution.

    Args:
        x: feature maps, channels last.
        kernel: kernel of the convolution.
        geometry: geometry of the layer.

    Returns:
        The downsampled feature maps.

    Source: Masci et al. 2011 (convolutional autoencoders, without strides); Springenberg et al.
        2015 (strides in the place of pooling).
    """
    return convolution(
        x,
        kernel,
        strides=geometry.strides,
        padding=geometry.padding,
        dilation=geometry.dilation,
    )


def pooled(
    x: Float[Array, "batch *spatial inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    geometry: Geometry,
) -> Float[Array, "batch *smaller outputs"]:
    """Convolution with unit strides, followed by max pooling with windows as large as the strides.

    The last window of an axis is padded, so that the shape equals that of `strided`. Bias and
    activation follow the pooling; for a non-decreasing activation the order does not matter.

    Args:
        x: feature maps, channels last.
        kernel: kernel of the convolution.
        geometry: geometry of the layer.

    Returns:
        The downsampled feature maps.

    Source: Masci et al. 2011, §3 (max pooling in convolutional autoencoders).
    """
    x = strided(x, kernel, geometry._replace(strides=None))
    window = geometry.strides or (1,) * (x.ndim - 2)
    return max_pool(x, window=window, padding="same")[0]


def transposed(
    h: Float[Array, "batch *smaller outputs"],
    kernel: Float[Array, "*window inputs outputs"],
    geometry: Geometry,
    shape: tuple[int, ...],
) -> Float[Array, "batch *spatial inputs"]:
    """Transposed convolution, the transpose of `strided`, to a given spatial shape.

    Args:
        h: feature maps, channels last.
        kernel: kernel of the convolution that is transposed.
        geometry: geometry of that convolution; the output padding follows from `shape`.
        shape: spatial shape of the result.

    Returns:
        The upsampled feature maps.

    Source: Zeiler et al. 2010; Dumoulin & Visin 2016, relation 14.
    """
    (exact,) = decoder_geometry(h.shape[1:-1], shape, [geometry])
    return transposed_convolution(
        h,
        kernel,
        strides=exact.strides,
        padding=exact.padding,
        dilation=exact.dilation,
        output_padding=exact.output_padding,
    )


def resized(
    h: Float[Array, "batch *smaller outputs"],
    kernel: Float[Array, "*window inputs outputs"],
    geometry: Geometry,
    shape: tuple[int, ...],
    *,
    method: Literal["nearest", "linear", "cubic"] = "nearest",
) -> Float[Array, "batch *spatial inputs"]:
    """Resize-convolution: resize the feature maps, then convolve with unit strides.

    It avoids the checkerboard artefacts of a transposed convolution whose kernel size is not a
    multiple of its stride. The convolution is the transpose of one with unit strides (a
    convolution with the `flipped` kernel), so that it can be tied to the encoder.

    Args:
        h: feature maps, channels last.
        kernel: kernel of the convolution that is transposed.
        geometry: geometry of the layer.
        shape: spatial shape of the result.
        method: method of `jax.image.resize`, set by `partial(resized, method="linear")`.

    Returns:
        The upsampled feature maps.

    Source: Odena, Dumoulin & Olah 2016.
    """
    unit = geometry._replace(strides=None)
    wide = convolution_shape(shape, unit)
    h = jax.image.resize(h, (h.shape[0], *wide, h.shape[-1]), method)
    return transposed(h, kernel, unit, shape)
