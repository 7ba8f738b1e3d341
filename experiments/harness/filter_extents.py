"""Measures of image filters: how much a filter differs from noise, and the size of its strokes."""

import numpy as np

MEASURES = {
    "autocorrelation": "correlation of adjacent weights",
    "stroke": "stroke length √(2 Σ w²/Σ |∇w|²), pixels",
    "half": "pixels that hold half of Σ w²",
    "participation ratio": "(Σ w²)²/Σ w⁴, pixels",
    "width": "spread of w² about its centre, pixels",
}
"""Measure of a filter w -> its definition and unit."""


def filter_images(kernels: np.ndarray) -> np.ndarray:
    """Transpose and reshape kernels [..., pixels, units] to images [..., units, side, side]."""
    side = round(np.sqrt(kernels.shape[-2]))
    return np.swapaxes(kernels, -2, -1).reshape(*kernels.shape[:-2], -1, side, side)


def filter_extents(filters: np.ndarray) -> dict[str, np.ndarray]:
    """Compute each of `MEASURES` for every filter.

    A filter of independent random weights has an expected autocorrelation of 0, up to the order of
    one over the number of pixels, and a stroke of about 0.7 pixels. A Gaussian of standard
    deviation σ has a stroke of σ√2.

    Args:
        filters: images [..., height, width], none of them constant.

    Returns:
        Values by measure, each [...].
    """
    energy = np.square(filters)
    total = energy.sum(axis=(-2, -1))
    spread = 0
    for axis in (-2, -1):
        positions = np.arange(filters.shape[axis])
        share = energy.sum(axis=-3 - axis) / total[..., None]
        centre = share @ positions
        spread = spread + (share @ positions**2 - centre**2) / 2
    change = sum(np.square(np.diff(filters, axis=axis)).sum(axis=(-2, -1)) for axis in (-2, -1))
    return {
        "autocorrelation": lag_one_autocorrelation(filters),
        "stroke": np.sqrt(2 * total / change),
        "half": pixels_with_half_the_energy(energy),
        "participation ratio": total**2 / np.square(energy).sum(axis=(-2, -1)),
        "width": np.sqrt(spread),
    }


def lag_one_autocorrelation(filters: np.ndarray) -> np.ndarray:
    """Spatial autocorrelation of lag one: Moran's I of horizontal and vertical neighbours.

    Args:
        filters: images [..., height, width], none of them constant.

    Returns:
        Autocorrelations [...].

    Source: Moran 1950.
    """
    centred = filters - filters.mean(axis=(-2, -1), keepdims=True)
    pairs = [
        centred[..., 1:, :] * centred[..., :-1, :],
        centred[..., :, 1:] * centred[..., :, :-1],
    ]
    count = sum(products.shape[-2] * products.shape[-1] for products in pairs)
    covariance = sum(products.sum(axis=(-2, -1)) for products in pairs) / count
    return covariance / np.square(centred).mean(axis=(-2, -1))


def pixels_with_half_the_energy(energy: np.ndarray) -> np.ndarray:
    """Smallest number of pixels whose energy is at least half of the total, [...].

    Args:
        energy: squared weights [..., height, width].
    """
    descending = -np.sort(-energy.reshape(*energy.shape[:-2], -1), axis=-1)
    below_half = np.cumsum(descending, axis=-1) < descending.sum(axis=-1, keepdims=True) / 2
    return below_half.sum(axis=-1) + 1
