"""Checkerboard artefacts of transposed convolutions: unevenness of overlap and share of energy."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from aejax import data
from aejax.layers.convolution import transposed_convolution
from aejax.types import Array, Autoencoder, Params

MAX_SIZE = 6
"""Largest kernel and stride in the figure of overlaps."""
MARGIN = 32
"""Least distance in pixels of measured pixels from the edges of an image."""


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


def standardised_photographs(side: int, count: int) -> Array:
    """Large test patches of scikit-learn's photographs, with mean 0 and variance 1.

    Args:
        side: side of a patch in pixels, at most 128.
        count: number of patches.

    Returns:
        Patches [count, side, side, 1].
    """
    patches = jnp.asarray(data.photos(patch_size=side, train=1, test=count).x_test, float)
    return ((patches - jnp.mean(patches)) / jnp.std(patches))[..., None]


def flat_images(side: int) -> Array:
    """Eight images of constant grey level, from −2 to 2, [8, side, side, 1]."""
    levels = jnp.linspace(-2, 2, 8)[:, None, None, None]
    return jnp.broadcast_to(levels, (8, side, side, 1))


def side_for(period: int) -> int:
    """Side of images whose four central periods are unaffected by the edges."""
    return 4 * period + 2 * -(-MARGIN // period) * period


def reconstructed_centres(model: Autoencoder, params: Params, x: Array, period: int) -> Array:
    """Reconstruct images and crop four periods at the centre, unaffected by the edges.

    Args:
        model: convolutional autoencoder of the images.
        params: parameters of the model.
        x: images [count, side, side, 1] with the side of `side_for`.
        period: period of the checkerboard pattern in pixels.

    Returns:
        [count, 4 · period, 4 · period].
    """
    start = x.shape[1] // 2 - 2 * period
    middle = slice(start, start + 4 * period)
    return model.decode(params, model.encode(params, x))[:, middle, middle, 0]


def draw_unevenness(axis: Axes) -> None:
    """Draw the unevenness of overlap for strides, and kernels not smaller than the stride."""
    uneven = np.array([unevenness(stride, MAX_SIZE) for stride in range(1, 1 + MAX_SIZE)])
    ends = (0.5, MAX_SIZE + 0.5)
    shown = np.where(np.tri(MAX_SIZE).T, uneven, np.nan)
    image = axis.imshow(shown, "Blues", origin="lower", extent=(*ends, *ends))
    axis.set(title="unevenness of overlap", xlabel="kernel", ylabel="stride")
    axis.figure.colorbar(image, ax=axis, shrink=0.6)


def draw_flat_images(figure: SubFigure, images: Mapping[str, np.ndarray]) -> None:
    """Draw reconstructions of a flat image, without their means and on a common scale."""
    largest = max(np.ptp(image) for image in images.values())
    panels = figure.subplots(len(images), 1)
    for axis, (name, image) in zip(panels, images.items(), strict=True):
        axis.imshow(image - np.mean(image), "gray", vmin=-largest / 2, vmax=largest / 2)
        axis.set(title=f"flat, {name}", xticks=[], yticks=[])


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


def contrasts(images: Array, period: int) -> Array:
    """Contrast of content at each position of a period.

    A pattern that all inputs share does not contribute.

    Args:
        images: [count, height, width]; period divides height and width.
        period: period in pixels.

    Returns:
        Standard deviation over images and cells of the pixels at each position, [period²].
    """
    return jnp.std(_by_position(images, period), axis=0)


def common_pattern(images: Array, period: int) -> Array:
    """Amplitude of the pattern that all images share, relative to their contrast.

    Args:
        images: [count, height, width]; period divides height and width.
        period: period in pixels.

    Returns:
        Standard deviation over positions of the mean over images and cells, over the mean of
        `contrasts`.
    """
    pixels = _by_position(images, period)
    return jnp.std(jnp.mean(pixels, axis=0)) / jnp.mean(jnp.std(pixels, axis=0))


def spread(contrast: Array) -> Array:
    """Standard deviation of contrasts over positions, over their mean.

    For several networks, their squared contrasts are averaged first, each relative to its mean, so
    that differences between random kernels cancel.

    Args:
        contrast: contrasts [positions], or [networks, positions].

    Returns:
        Scalar, 0 if all positions have equal contrast.
    """
    each = jnp.atleast_2d(contrast)
    relative = each / jnp.mean(each, axis=1, keepdims=True)
    mean = jnp.sqrt(jnp.mean(jnp.square(relative), axis=0))
    return jnp.std(mean) / jnp.mean(mean)


def _by_position(images: Array, period: int) -> Array:
    """Pixels by position within their cell, [count · cells, period²]."""
    count, height, width = images.shape
    cells = images.reshape(count, height // period, period, width // period, period)
    return jnp.moveaxis(cells, 2, 3).reshape(-1, period**2)
