"""Checkerboard artefacts of transposed convolutions: unevenness of overlap and share of energy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from aejax import data
from aejax.layers.convolution import transposed_convolution
from aejax.types import Array, Autoencoder, Params

MAX_SIZE = 6
"""Largest kernel and stride in the figure of overlaps."""


def standardised_patches(side: int, train: int, test: int) -> tuple[Array, Array]:
    """Training and test patches of scikit-learn's photographs, with mean 0 and variance 1.

    Args:
        side: side of a patch in pixels.
        train: number of training patches.
        test: number of test patches.

    Returns:
        Patches [train, side, side, 1] and [test, side, side, 1].
    """
    photos = data.photos(patch_size=side, train=train, test=test)
    scale = data.standardise(photos.x_train.reshape(-1, 1))
    x, x_test = (
        jnp.asarray(data.normalise(scale, x.reshape(-1, 1)).reshape(*x.shape, 1))
        for x in (photos.x_train, photos.x_test)
    )
    return x, x_test


def reconstructed_flat_images(model: Autoencoder, params: Params, period: int) -> Array:
    """Reconstruct eight images of constant grey level; crop the centre, unaffected by the edges.

    Args:
        model: convolutional autoencoder of images of side 20 · period.
        params: parameters of the model.
        period: period of the checkerboard pattern in pixels.

    Returns:
        [8, 4 · period, 4 · period], in ascending order of the grey level.
    """
    levels = jnp.linspace(-2, 2, 8)[:, None, None, None]
    flat = jnp.broadcast_to(levels, (8, 20 * period, 20 * period, 1))
    middle = slice(8 * period, 12 * period)
    return model.decode(params, model.encode(params, flat))[:, middle, middle, 0]


def draw_unevenness(axis: Axes) -> None:
    """Draw the unevenness of overlap for strides, and kernels not smaller than the stride."""
    uneven = np.array([unevenness(stride, MAX_SIZE) for stride in range(1, 1 + MAX_SIZE)])
    ends = (0.5, MAX_SIZE + 0.5)
    shown = np.where(np.tri(MAX_SIZE).T, uneven, np.nan)
    image = axis.imshow(shown, "Blues", origin="lower", extent=(*ends, *ends))
    axis.set(title="unevenness of overlap", xlabel="kernel", ylabel="stride")
    axis.figure.colorbar(image, ax=axis, shrink=0.6)


def overlaps(stride: int, largest: int) -> Array:
    """Number of terms that a transposed convolution adds in each pixel, away from the edges.

    Args:
        stride: stride on both axes.
        largest: side of the largest kernel.

    Returns:
        Counts [largest, stride, stride] of one period, for kernels of 1 × 1, 2 × 2, ….
    """
    taps = jnp.arange(largest)
    ones = jnp.maximum(taps[:, None], taps)[..., None] <= taps
    transposed = jax.jit(partial(transposed_convolution, strides=(stride, stride)))
    sums = transposed(jnp.ones((1, 12, 12, 1)), ones[..., None].astype(float))
    inside = -(-largest // stride) * stride
    period = slice(inside, inside + stride)
    return jnp.moveaxis(sums[0, period, period], -1, 0)


def unevenness(stride: int, largest: int) -> Array:
    """Standard deviation of each of the `overlaps` over its mean, [largest].

    It is 0 if the stride divides the kernel size.
    """
    counts = overlaps(stride, largest)
    return jnp.std(counts, axis=(1, 2)) / jnp.mean(counts, axis=(1, 2))


def periodic_share(images: Array, period: int) -> Array:
    """Share of the energy of the periodic part of images that is not at frequency zero.

    The periodic part has the frequencies that are multiples of 1/period on both axes. By Parseval,
    its energy is that of the means over all cells of period × period pixels.

    Args:
        images: [count, height, width]; period divides height and width.
        period: period in pixels.

    Returns:
        One share for all images, in [0, 1]; 0 for constant images.
    """
    count, height, width = images.shape
    cells = images.reshape(count, height // period, period, width // period, period)
    means = jnp.mean(cells, axis=(1, 3))
    flat = jnp.mean(means, axis=(1, 2), keepdims=True)
    return jnp.sum(jnp.square(means - flat)) / jnp.sum(jnp.square(means))
