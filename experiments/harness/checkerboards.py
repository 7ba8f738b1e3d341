"""Checkerboards: what makes them, uneven overlap, and how much of an image they are."""

from functools import partial

import jax
import jax.numpy as jnp

from aejax.layers.convolution import transposed_convolution
from aejax.types import Array


def overlaps(stride: int, largest: int) -> Array:
    """How many terms transposed convolutions add up in each pixel, away from the edges.

    Args:
        stride: on both axes.
        largest: the largest kernel's extent on both axes.

    Returns:
        [largest, stride, stride], for kernels of 1 × 1, 2 × 2 and so on what recurs in a flat image
        through a kernel of ones.
    """
    taps = jnp.arange(largest)
    ones = jnp.maximum(taps[:, None], taps)[..., None] <= taps
    transposed = jax.jit(partial(transposed_convolution, strides=(stride, stride)))
    sums = transposed(jnp.ones((1, 12, 12, 1)), ones[..., None].astype(float))
    inside = -(-largest // stride) * stride
    recurs = slice(inside, inside + stride)
    return jnp.moveaxis(sums[0, recurs, recurs], -1, 0)


def unevenness(stride: int, largest: int) -> Array:
    """The standard deviation of each of the `overlaps` over its mean, [largest].

    It is 0 where the stride divides the kernel.
    """
    counts = overlaps(stride, largest)
    return jnp.std(counts, axis=(1, 2)) / jnp.mean(counts, axis=(1, 2))


def recurring_share(images: Array, period: int) -> Array:
    """The share of images' energy at the frequencies of a period that is not at zero.

    Those frequencies are the multiples of 1/period on both axes; by Parseval the energy there is
    that of the means over all cells of period × period pixels. An image that recurs with the period
    has no other.

    Args:
        images: [count, height, width], which period divides.

    Returns:
        One share for all, in [0, 1]: 0 where they are flat.
    """
    count, height, width = images.shape
    cells = images.reshape(count, height // period, period, width // period, period)
    means = jnp.mean(cells, axis=(1, 3))
    flat = jnp.mean(means, axis=(1, 2), keepdims=True)
    return jnp.sum(jnp.square(means - flat)) / jnp.sum(jnp.square(means))
