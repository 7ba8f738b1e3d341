"""Figures of sparse dictionaries: densities of latents, and images that activate them most."""

from collections.abc import Sequence
from math import prod

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from aejax.evaluation import DensityHistogram, density_histogram
from aejax.plots.image_grids import draw_image, image_grid
from aejax.plots.style import INK, Array, figure_style, finite

BINS = 40
"""Number of bins of the histogram of densities."""


def densities(frequency: Float[Array, " units"]) -> Figure:
    """Draw a histogram of the fraction of examples on which each latent is active.

    Args:
        frequency: fractions in [0, 1]. Latents with 0 are counted in the title, not drawn.

    Returns:
        A figure with one panel, with a logarithmic axis of the fraction.

    Raises:
        ValueError: for fractions outside [0, 1].
    """
    found: DensityHistogram = density_histogram(np.asarray(frequency), bins=BINS)
    with figure_style():
        figure = Figure(figsize=(6.4, 2.8))
        axis = figure.subplots()
        axis.stairs(found.counts, found.edges, fill=True)
        axis.set_xscale("log")
        axis.set(
            title=f"{found.counts.sum()} latents are active, {found.dead} are dead",
            xlabel="fraction of examples on which a latent is active",
            ylabel="number of latents",
        )
    return figure


def top_example_images(
    x: Float[Array, "examples *features"],
    examples: Int[Array, "rows count"],
    activations: Float[Array, "rows count"],
    names: Sequence[str],
    image_shape: Sequence[int],
    *,
    directions: Float[Array, "rows features"] | None = None,
) -> Figure:
    """Draw the images that activate each latent most, a row for each latent.

    Args:
        x: images, as flat vectors or images, in any range.
        examples: index of the image of each place in x; −1 leaves the place empty.
        activations: activation of the latent on each image.
        names: names of the rows.
        image_shape: (height, width), (height, width, 1) or (height, width, 3).
        directions: direction of each latent in the decoder, drawn first in its row, blue below and
            red above zero.

    Returns:
        A figure with the images on one scale, and activations below them.

    Raises:
        ValueError: if shapes differ, an index is not one of x, images do not match the image shape,
            or a value is not finite.
    """
    examples = np.asarray(examples)
    _check_places(x, examples, activations, names, image_shape, directions)
    used = np.unique(examples[examples >= 0])
    images = {
        int(index): image.reshape(*image_shape[:2], -1)
        for index, image in zip(used, finite("x", x[used]), strict=True)
    }
    low = min((image.min() for image in images.values()), default=0.0)
    high = max((image.max() for image in images.values()), default=1.0)
    offset = 0 if directions is None else 1
    with figure_style():
        figure, axes = image_grid(len(examples), offset + examples.shape[1], image_shape)
        for axis, name in zip(axes[:, 0], names, strict=True):
            axis.set_ylabel(name, rotation=0, ha="right", va="center")
        if directions is not None:
            kernels = finite("the directions", directions)
            for axis, row in zip(axes[:, 0], kernels, strict=True):
                limit = np.abs(row).max()
                draw_image(axis, row.reshape(*image_shape[:2], -1), -limit, limit, "coolwarm")
            axes[0, 0].set_title("decoder", loc="center", fontsize="small")
        for place, index in np.ndenumerate(examples):
            axis = axes[place[0], offset + place[1]]
            if index >= 0:
                draw_image(axis, images[int(index)], low, high, "gray")
                axis.set_xlabel(f"{activations[place]:.2g}", fontsize="small", labelpad=2)
        figure.supxlabel("activation of the latent", size="medium", color=INK)
    return figure


def _check_places(
    x: Array,
    examples: np.ndarray,
    activations: Array,
    names: Sequence[str],
    image_shape: Sequence[int],
    directions: Array | None,
) -> None:
    if not len(examples) or activations.shape != examples.shape or len(names) != len(examples):
        raise ValueError(
            f"expected an activation for each example and a name for each row, got examples "
            f"{list(examples.shape)}, activations {list(activations.shape)}, {len(names)} names"
        )
    if not -1 <= examples.min() <= examples.max() < len(x):
        raise ValueError(
            f"indices must lie in [-1, {len(x) - 1}], got {examples.min()} to {examples.max()}"
        )
    expected = (len(examples), prod(image_shape))
    if prod(x.shape[1:]) != expected[1] or (
        directions is not None and directions.shape != expected
    ):
        shapes = [list(x.shape)] + ([] if directions is None else [list(directions.shape)])
        raise ValueError(
            f"images and directions must have the shape {list(image_shape)}, got {shapes}"
        )
