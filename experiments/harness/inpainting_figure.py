"""Figure of inpainting: images with holes, filled by each method."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from aejax.plots import COLOURS, figure_style

GREYS = 63
"""Number of grey values above black, so few that the palette of the PNG has all of them."""


def draw_filled(
    images: Mapping[str, np.ndarray],
    psnr: Mapping[str, Mapping[str, float]],
    methods: Sequence[str],
    hole: str,
) -> Figure:
    """Draw one block of images for each kind: with holes, filled by each method, and original.

    Args:
        images: kind -> [2 + methods, images, height, width]; negative pixels are missing.
        psnr: kind -> method -> mean PSNR of its holes in decibels.
        methods: names of the methods in the order of the images.
        hole: side of the holes in pixels.
    """
    kind, (ours, other) = next(iter(psnr)), methods[:2]
    names = ("with hole", *methods, "original")
    with figure_style():
        figure = Figure(figsize=(10.4, 3.7))
        figure.suptitle(
            f"Holes of {hole} × {hole} pixels in {kind}: {psnr[kind][ours]:.1f} dB with the "
            f"{ours}, {psnr[kind][other]:.1f} dB with {other}"
        )
        for axis, (kind, rows) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
            extent = rows.shape[2] + 2
            axis.imshow(np.concatenate([_row(row) for row in rows]), interpolation="nearest")
            found = [f"{psnr[kind][name]:.1f} dB" if name in psnr[kind] else "" for name in names]
            first = axis is figure.axes[0]
            labels = [f"{n}\n{f}" if f and first else f or first * n
                      for n, f in zip(names, found, strict=True)]  # fmt: skip
            axis.set_yticks(extent * (np.arange(len(names)) + 0.5), labels)
            axis.set(title=kind, xticks=[])
            axis.tick_params(length=0, labelsize="small")
            axis.spines[:].set_visible(False)
    return figure


def _row(images: np.ndarray) -> np.ndarray:
    """Images side by side in a white frame, as RGB; missing pixels have a colour."""
    grey = np.round(GREYS * np.clip(images, 0, 1)) / GREYS
    colours = np.repeat(grey[..., None], 3, axis=-1)
    colours[images < 0] = to_rgb(COLOURS[1])
    framed = np.pad(colours, ((0, 0), (0, 2), (0, 2), (0, 0)), constant_values=1)
    return np.concatenate(list(framed), axis=1)
