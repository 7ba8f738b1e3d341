"""Checkerboards: what makes them, uneven overlap, and how much of an image they are."""

import jax.numpy as jnp

from aejax.convolution import transposed_convolution
from aejax.types import Array


def overlap(kernel: int, stride: int) -> Array:
    """How many terms a transposed convolution adds up in each pixel, away from the edges.

    Args:
        kernel: its extent on both axes.
        stride: likewise.

    Returns:
        [stride, stride], which recurs: a flat image, through a kernel of ones.
    """
    flat, ones = jnp.ones((1, 12, 12, 1)), jnp.ones((kernel, kernel, 1, 1))
    sums = transposed_convolution(flat, ones, strides=(stride, stride))[0, ..., 0]
    inside = -(-kernel // stride) * stride
    return sums[inside : inside + stride, inside : inside + stride]


def unevenness(kernel: int, stride: int) -> float:
    """The standard deviation of the overlap over its mean: 0 where stride divides kernel."""
    return float(jnp.std(overlap(kernel, stride)) / jnp.mean(overlap(kernel, stride)))


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
