"""What one layer of a convolutional autoencoder does: two ways down, and two ways up.

All four agree on the shapes, `convolution_shape` of the layer's geometry on the way down and back
to exactly where it came from on the way up, and take the same kernel: each way down goes with each
way up, tied or not.
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
"""(x, kernel, geometry) -> h, of the shape that `convolution_shape` says."""

Up = Callable[[Array, Array, Geometry, tuple[int, ...]], Array]
"""(h, kernel, geometry, shape) -> x on the spatial axes `shape`."""


def strided(
    x: Float[Array, "batch *spatial inputs"],
    kernel: Float[Array, "*window inputs outputs"],
    geometry: Geometry,
) -> Float[Array, "batch *smaller outputs"]:
    """A convolution with the geometry's strides.

    Args:
        x: maps, channels last.
        kernel: of the convolution.
        geometry: of the layer.

    Returns:
        The smaller maps.

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
    """A convolution with unit strides, then max pooling of windows as large as the strides.

    The last window of an axis may lie partly outside, so no position is lost and the shape is that
    of `strided`. Bias and activation come after the pooling: for an activation that never falls
    that is the same as before it.

    Args:
        x: maps, channels last.
        kernel: of the convolution.
        geometry: of the layer.

    Returns:
        The smaller maps.

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
    """The transpose of `strided` on maps of the wanted shape.

    Args:
        h: maps, channels last.
        kernel: of the convolution that is transposed.
        geometry: of that convolution; its output padding is chosen.
        shape: the wanted spatial axes.

    Returns:
        The larger maps.

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
    """Maps resized, then convolved with unit strides: every output meets as many kernel positions.

    A transposed convolution whose kernel the strides do not divide overlaps unevenly, which shows
    as a checkerboard; this does not. The convolution is the transpose of the one with unit strides,
    that is, the one with the `flipped` kernel, so that it can be tied.

    Args:
        h: maps, channels last.
        kernel: of the convolution that is transposed.
        geometry: of the layer.
        shape: the wanted spatial axes.
        method: of `jax.image.resize`; `partial(resized, method="linear")` chooses another.

    Returns:
        The larger maps.

    Source: Odena, Dumoulin & Olah 2016.
    """
    unit = geometry._replace(strides=None)
    wide = convolution_shape(shape, unit)
    h = jax.image.resize(h, (h.shape[0], *wide, h.shape[-1]), method)
    return transposed(h, kernel, unit, shape)
