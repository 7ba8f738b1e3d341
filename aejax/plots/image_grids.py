"""Images: filters, and reconstructions or segmentations beside their inputs."""

from collections.abc import Mapping, Sequence
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from aejax.plots.style import INK, Array, finite, look

CLASS_COLOURS = (
    "#56b4e9", "#ddcc99", "#f0e442", "#808080", "#e69f00", "#009e73",
    "#0072b2", "#882255", "#d55e00", "#000000", "#cc79a7", "#ffffff",
)  # fmt: skip
"""Okabe and Ito's palette with grey, sand and wine, for maps of eleven classes; void is white."""


def filters(
    kernel: Float[Array, "features units"],
    image_shape: Sequence[int],
    *,
    count: int = 100,
    shared_scale: bool = True,
) -> Figure:
    """The kernels of an encoder's first layer as images: blue below zero, red above.

    Args:
        kernel: one column a unit.
        image_shape: (height, width), (height, width, 1) or (height, width, 3). Colour images show
            each channel's sign as its distance from mid-grey.
        count: show the first so many units.
        shared_scale: one colour scale for all units, from −max|w| to max|w|; otherwise one scale
            a unit, which shows the form of weak filters and hides their weakness.

    Returns:
        A figure of one image a unit.

    Raises:
        ValueError: for a kernel that does not fit the image shape or is not finite, or a count
            below one.
    """
    images = _images("the kernel", kernel.T, image_shape, count)
    largest = np.abs(images).max(axis=(1, 2, 3))
    limits = np.full_like(largest, largest.max()) if shared_scale else largest
    columns = ceil(sqrt(2 * len(images)))
    with look():
        figure, axes = _image_grid(ceil(len(images) / columns), columns)
        for axis, image, limit in zip(axes.flat, images, limits, strict=False):
            _draw_image(axis, image, -limit, limit, "coolwarm")
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
    count: int = 10,
) -> Figure:
    """Inputs above their reconstructions, each with its squared error Σ(x̂ − x)².

    Args:
        x: clean inputs, as flat vectors or images; any range.
        x_hat: their reconstructions.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        x_corrupted: what the encoder was given, where that is not x.
        count: show the first so many examples.

    Returns:
        A figure of rows input, corrupted (where given) and reconstruction. All share one scale,
        from the lowest to the highest value of the inputs shown.

    Raises:
        ValueError: for arrays of unequal shapes, that do not fit the image shape or are not
            finite, or a count below one.
    """
    given = {"input": x, "corrupted": x_corrupted, "reconstruction": x_hat}
    arrays = {name: array for name, array in given.items() if array is not None}
    if len({array.shape for array in arrays.values()}) != 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(f"inputs and reconstructions must have one shape, got {shapes}")
    rows = {
        name: _images(f"the {name}", array, image_shape, count) for name, array in arrays.items()
    }
    low, high = rows["input"].min(), rows["input"].max()
    errors = np.square(rows["reconstruction"] - rows["input"]).sum(axis=(1, 2, 3))
    with look():
        figure, axes = _image_grid(len(rows), len(errors))
        for line, (name, images) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(name, rotation=0, ha="right", va="center")
            for axis, image in zip(line, images, strict=True):
                _draw_image(axis, image, low, high, "gray")
        for axis, error in zip(axes[-1], errors, strict=True):
            axis.set_xlabel(f"{error:.3g}")
        figure.supxlabel("squared error Σ(x̂ − x)² of each", size="medium", color=INK)
    return figure


def traversals(
    x_hat: Float[Array, "units steps *features"],
    values: Float[Array, "units steps"],
    image_shape: Sequence[int],
    names: Sequence[str] | None = None,
) -> Figure:
    """What is decoded as one unit of a code moves and the others stay: a row a unit.

    Args:
        x_hat: decoded images, of each unit in turn.
        values: of the unit that moved, one an image.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        names: of the rows; their numbers unless given.

    Returns:
        A figure of a row a unit, all on one scale, each image with the unit's value below it.

    Raises:
        ValueError: for values or names that are not one an image or a row, or images that do not
            fit their shape or are not finite.
    """
    units, steps = x_hat.shape[:2]
    names = [f"unit {i}" for i in range(units)] if names is None else list(names)
    if values.shape != (units, steps) or len(names) != units:
        raise ValueError(
            f"{units} rows of {steps} images need as many values and a name a row, got values "
            f"{list(values.shape)} and {len(names)} names"
        )
    flat = np.reshape(x_hat, (units * steps, -1))
    images = _images("the traversal", flat, image_shape, max(len(flat), 1))
    with look():
        figure, axes = _image_grid(units, steps)
        for axis, image, value in zip(axes.flat, images, np.ravel(values), strict=True):
            _draw_image(axis, image, images.min(), images.max(), "gray")
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
    """Images above the class of each pixel: as labelled, and as each method predicts it.

    Args:
        x: images of 1 or 3 channels, in [0, 1].
        labels: classes; a label outside [0, classes − 1] is void and drawn white.
        predicted: classes by the name of the method.
        classes: the name of each class, eleven at most.

    Returns:
        A figure of rows input, labels and each prediction, a column an example, with a legend.

    Raises:
        ValueError: for more than eleven classes, no examples, or maps of unequal shapes.
    """
    maps = {"labels": labels, **predicted}
    void = len(CLASS_COLOURS) - 1
    if not 1 <= len(classes) <= void:
        raise ValueError(f"one to {void} classes can be told apart, got {len(classes)}")
    if len(x) == 0 or any(array.shape != x.shape[:-1] for array in maps.values()):
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in maps.items())
        raise ValueError(f"maps must be {list(x.shape[:-1])}, as the images, got {shapes}")
    with look():
        figure, axes = _image_grid(1 + len(maps), len(x))
        for axis, image in zip(axes[0], finite("x", x), strict=True):
            _draw_image(axis, image, 0, 1, "gray")
        for line, array in zip(axes[1:], maps.values(), strict=True):
            for axis, image in zip(line, np.asarray(array), strict=True):
                shown = np.where((image >= 0) & (image < len(classes)), image, void)
                axis.imshow(shown, ListedColormap(CLASS_COLOURS), vmin=0, vmax=void)
        for axis, name in zip(axes[:, 0], ("input", *maps), strict=True):
            axis.set_ylabel(name, rotation=0, ha="right", va="center")
        patches = [Patch(facecolor=colour) for colour in CLASS_COLOURS[: len(classes)]]
        figure.legend(patches, classes, loc="outside lower center", ncols=6, fontsize="small")
    return figure


def _image_grid(rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.2, min(0.8, 6.2 / columns) * rows + 0.4), layout="compressed")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return figure, axes


def _draw_image(axis: Axes, image: np.ndarray, low: float, high: float, colours: str) -> None:
    """One image [h, w, 1] by a colour map, or [h, w, 3] as it is, from low to high."""
    if image.shape[-1] == 1:
        axis.imshow(image[..., 0], colours, vmin=low, vmax=high, interpolation="none")
    else:
        shown = np.clip((image - low) / ((high - low) or 1), 0, 1)
        axis.imshow(shown, interpolation="none")


def _images(name: str, array: Array, image_shape: Sequence[int], count: int) -> np.ndarray:
    """The first `count` of [examples, *features] as images [count, height, width, channels]."""
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
            f"{name} holds {len(array)} images of {features} values, but images of shape "
            f"{tuple(image_shape)} have {prod(image_shape)}"
        )
    return finite(name, array[:count]).reshape(-1, height, width, *(channels or [1]))
