"""Grids of images: filters, reconstructions, traversals and segmentations."""

from collections.abc import Mapping, Sequence
from math import ceil, prod, sqrt
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from aejax.plots.style import INK, Array, figure_style, finite

CLASS_COLOURS = (
    "#56b4e9", "#ddcc99", "#f0e442", "#808080", "#e69f00", "#009e73",
    "#0072b2", "#882255", "#d55e00", "#000000", "#cc79a7", "#ffffff",
)  # fmt: skip
"""Okabe and Ito's palette with grey, sand and wine for eleven classes; white for unlabelled."""

SMALL_IMAGE = 32
"""Maximum height and width of images that are drawn small."""

MAX_DRAWN_PIXELS = 256
"""Maximum height and width of drawn images; larger ones are reduced."""


def filters(
    kernel: Float[Array, "features units"],
    image_shape: Sequence[int],
    *,
    count: int = 100,
    shared_scale: bool = True,
) -> Figure:
    """Draw the kernels of an encoder's first layer as images, blue below and red above zero.

    Args:
        kernel: kernel with one column per unit.
        image_shape: (height, width), (height, width, 1) or (height, width, 3). In colour images,
            zero is mid-grey in each channel.
        count: maximum number of units; the first ones are drawn.
        shared_scale: whether all units share one colour scale from −max|w| to max|w|; otherwise
            each unit has its own scale, which shows the shape of weak filters.

    Returns:
        A figure with one image per unit.

    Raises:
        ValueError: if the kernel does not match the image shape or is not finite, or count < 1.
    """
    images = _images("the kernel", kernel.T, image_shape, count)
    largest = np.abs(images).max(axis=(1, 2, 3))
    limits = np.full_like(largest, largest.max()) if shared_scale else largest
    columns = ceil(sqrt(2 * len(images)))
    with figure_style():
        figure, axes = image_grid(ceil(len(images) / columns), columns, image_shape)
        for axis, image, limit in zip(axes.flat, images, limits, strict=False):
            draw_image(axis, image, -limit, limit, "coolwarm")
        for axis in axes.flat[len(images) :]:
            axis.remove()
        if shared_scale and images.shape[-1] == 1:
            bar = figure.colorbar(axes.flat[0].images[0], ax=figure.axes, aspect=30, pad=0.02)
            bar.set_label("weight")
    return figure


def reconstructions(
    x: Float[Array, "examples *features"],
    x_hat: Float[Array, "examples *features"],
    image_shape: Sequence[int],
    x_corrupted: Float[Array, "examples *features"] | None = None,
    *,
    others: Mapping[str, Float[Array, "examples *features"]] = MappingProxyType({}),
    count: int | None = None,
) -> Figure:
    """Draw inputs above their reconstructions, each with its squared error Σ(x̂ − x)².

    Args:
        x: clean inputs, as flat vectors or images, in any range.
        x_hat: reconstructions of the inputs.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        x_corrupted: inputs of the encoder (default: x).
        others: name -> reconstructions by another method, such as PCA, each in a further row.
        count: maximum number of examples; the first ones are drawn (default: `row_length`).

    Returns:
        A figure with the rows input, corrupted (if given), reconstruction and others, on one scale
        from the minimum to the maximum of the drawn inputs.

    Raises:
        ValueError: if shapes differ, arrays do not match the image shape or are not finite, or
            count < 1.
    """
    count = row_length(image_shape) if count is None else count
    given = {"input": x, "corrupted": x_corrupted, "reconstruction": x_hat, **others}
    arrays = {name: array for name, array in given.items() if array is not None}
    if len({array.shape for array in arrays.values()}) != 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(f"inputs and reconstructions must have one shape, got {shapes}")
    rows = {
        name: _images(f"the {name}", array, image_shape, count) for name, array in arrays.items()
    }
    low, high = rows["input"].min(), rows["input"].max()
    with figure_style():
        figure, axes = image_grid(len(rows), len(rows["input"]), image_shape)
        for line, (name, images) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
            for axis, image in zip(line, images, strict=True):
                draw_image(axis, image, low, high, "gray")
            if name not in ("input", "corrupted"):
                errors = np.square(images - rows["input"]).sum(axis=(1, 2, 3))
                for axis, error in zip(line, errors, strict=True):
                    axis.set_xlabel(f"{error:.3g}", labelpad=2)
        figure.supxlabel("squared error Σ(x̂ − x)² per example", size="medium", color=INK)
    return figure


def samples(
    x_hat: Float[Array, "examples *features"], image_shape: Sequence[int], *, count: int = 100
) -> Figure:
    """Draw images in a square grid on one scale: samples of a generative model, or examples.

    Args:
        x_hat: images, as flat vectors or images, in any range.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        count: maximum number of images; the first ones are drawn.

    Returns:
        A figure with one image per example, from the minimum to the maximum of all.

    Raises:
        ValueError: if arrays do not match the image shape or are not finite, or count < 1.
    """
    images = _images("the samples", x_hat, image_shape, count)
    columns = ceil(sqrt(len(images)))
    with figure_style():
        figure, axes = image_grid(ceil(len(images) / columns), columns, image_shape)
        for axis, image in zip(axes.flat, images, strict=False):
            draw_image(axis, image, images.min(), images.max(), "gray")
        for axis in axes.flat[len(images) :]:
            axis.remove()
    return figure


def row_length(image_shape: Sequence[int]) -> int:
    """Number of images that a row of a figure shows: fewer, and so larger ones, of many pixels.

    Args:
        image_shape: (height, width), or with channels.

    Returns:
        10 for images of up to 32 pixels a side, down to 4 from 80 pixels on.
    """
    return int(np.clip(320 // max(*image_shape[:2], 1), 4, 10))


def traversals(
    x_hat: Float[Array, "units steps *features"],
    values: Float[Array, "units steps"],
    image_shape: Sequence[int],
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw latent traversals: decoded images while one unit of the code varies, a row per unit.

    Args:
        x_hat: decoded images of each unit and value.
        values: value of the unit in each image.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        names: names of the rows (default: "unit" and the index).

    Returns:
        A figure with one row per unit on a common scale, and the unit's value below each image.

    Raises:
        ValueError: if the shape of values or the number of names is wrong, or images do not match
            the image shape or are not finite.
    """
    units, steps = x_hat.shape[:2]
    names = [f"unit {i}" for i in range(units)] if names is None else list(names)
    if values.shape != (units, steps) or len(names) != units:
        raise ValueError(
            f"{units} rows of {steps} images need one value per image and one name per row, got "
            f"values of shape {list(values.shape)} and {len(names)} names"
        )
    flat = np.reshape(x_hat, (units * steps, -1))
    images = _images("the traversal", flat, image_shape, max(len(flat), 1))
    with figure_style():
        figure, axes = image_grid(units, steps, image_shape)
        for axis, image, value in zip(axes.flat, images, np.ravel(values), strict=True):
            draw_image(axis, image, images.min(), images.max(), "gray")
            axis.set_xlabel(f"{value:.2g}", fontsize="small", labelpad=2)
        for axis, name in zip(axes[:, 0], names, strict=True):
            axis.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def segmentations(
    x: Float[Array, "examples height width channels"],
    labels: Integer[Array, "examples height width"],
    predicted: Mapping[str, Integer[Array, "examples height width"]],
    classes: Sequence[str],
) -> Figure:
    """Draw images above the labelled and the predicted class of each pixel.

    Args:
        x: images with 1 or 3 channels, in [0, 1].
        labels: class indices; a label outside [0, classes − 1] is void and drawn white.
        predicted: method -> predicted class indices.
        classes: names of the classes, at most eleven.

    Returns:
        A figure with the rows input, labels and each prediction, one column per example, and a
        legend.

    Raises:
        ValueError: if there are no or more than eleven classes, no examples, or shapes differ.
    """
    maps = {"labels": labels, **predicted}
    void = len(CLASS_COLOURS) - 1
    if not 1 <= len(classes) <= void:
        raise ValueError(f"expected 1 to {void} classes, got {len(classes)}")
    if len(x) == 0 or any(array.shape != x.shape[:-1] for array in maps.values()):
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in maps.items())
        raise ValueError(f"maps must have the images' shape {list(x.shape[:-1])}, got {shapes}")
    with figure_style():
        figure, axes = image_grid(1 + len(maps), len(x), x.shape[1:])
        for axis, image in zip(axes[0], finite("x", x), strict=True):
            draw_image(axis, image, 0, 1, "gray")
        for line, array in zip(axes[1:], maps.values(), strict=True):
            for axis, image in zip(line, np.asarray(array), strict=True):
                shown = np.where((image >= 0) & (image < len(classes)), image, void)
                axis.imshow(shown, ListedColormap(CLASS_COLOURS), vmin=0, vmax=void)
        for axis, name in zip(axes[:, 0], ("input", *maps), strict=True):
            axis.set_ylabel(name, rotation=0, ha="right", va="center")
        patches = [Patch(facecolor=colour) for colour in CLASS_COLOURS[: len(classes)]]
        figure.legend(patches, classes, loc="outside lower center", ncols=6, fontsize="small")
    return figure


def image_grid(rows: int, columns: int, image_shape: Sequence[int]) -> tuple[Figure, Any]:
    """Figure with rows and columns of axes for images; images of many pixels are drawn larger."""
    height, width = image_shape[:2]
    cell = min(0.8 if max(height, width) <= SMALL_IMAGE else 1.6, 6.2 / columns)
    row = cell * min(max(height / width, 0.5), 2)
    figure = Figure(figsize=(7.2, row * rows + 0.4), layout="compressed")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return figure, axes


def draw_image(axis: Axes, image: np.ndarray, low: float, high: float, colours: str) -> None:
    """Draw an image [h, w, 1] with a colour map, or [h, w, 3] in colour, from low to high."""
    image = _reduced(image)
    if image.shape[-1] == 1:
        axis.imshow(image[..., 0], colours, vmin=low, vmax=high, interpolation="none")
    else:
        shown = np.clip((image - low) / ((high - low) or 1), 0, 1)
        axis.imshow(shown, interpolation="none")


def _reduced(image: np.ndarray) -> np.ndarray:
    """Means of square blocks of pixels of a large image, so that files stay small."""
    factor = -(-max(image.shape[:2]) // MAX_DRAWN_PIXELS)
    if factor == 1:
        return image
    down, across = (min(factor, size) for size in image.shape[:2])
    rows, columns = image.shape[0] // down, image.shape[1] // across
    blocks = image[: rows * down, : columns * across].reshape(rows, down, columns, across, -1)
    return blocks.mean(axis=(1, 3))


def _images(name: str, array: Array, image_shape: Sequence[int], count: int) -> np.ndarray:
    """Reshape the first `count` examples to images [count, height, width, channels]."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    height, width, *channels = image_shape if len(image_shape) > 1 else (0, 0)
    if height < 1 or width < 1 or tuple(channels) not in ((), (1,), (3,)):
        raise ValueError(
            "an image shape is (height, width), or with 1 or 3 channels (height, width, channels), "
            f"got {tuple(image_shape)}"
        )
    features = prod(array.shape[1:])
    if len(array) == 0 or features != prod(image_shape):
        raise ValueError(
            f"{name} has {len(array)} images of {features} values, but images of shape "
            f"{tuple(image_shape)} have {prod(image_shape)}"
        )
    return finite(name, array[:count]).reshape(-1, height, width, *(channels or [1]))
