"""Gabor functions fitted to filters, for the detection of edge detectors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

BLOB_THRESHOLD = 0.5
"""Value of |Σ g|/Σ |g| from which a Gabor function g is a blob, not an edge."""


class Gabors(NamedTuple):
    """One Gabor function per filter.

    r_squared:   [filters], explained share R² of the filter's energy Σ w², in [0, 1].
    orientation: [filters], angle of bars or edges in [0, π), clockwise from the horizontal.
    frequency:   [filters], cycles per pixel.
    images:      [filters, side, side], values of the functions.
    """

    r_squared: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray
    images: np.ndarray

    def edges(self, threshold: float) -> np.ndarray:
        """Mask of the edge detectors: R² above the threshold, and not a blob."""
        sums, sizes = self.images.sum(axis=(1, 2)), np.abs(self.images).sum(axis=(1, 2))
        return (self.r_squared > threshold) & (np.abs(sums) < BLOB_THRESHOLD * sizes)


def fit_gabors(filters: ArrayLike) -> Gabors:
    """Fit a Gabor function to each filter by least squares, from the best start of a dictionary.

    g = exp(−u²/2α² − v²/2β²) (a cos 2πfu + b sin 2πfu), where u and v are coordinates relative to a
    centre, rotated by the orientation. a and b have a closed form; the six others have bounds: the
    centre is in the patch, α (across the bars) at most a quarter of its side and β half of it, so
    that the function is localised, and f at most the Nyquist frequency.

    Args:
        filters: [filters, side, side]; a zero filter has R² = 0.

    Returns:
        The fitted `Gabors`.

    Source: Jones & Palmer 1987 (Gabor functions fitted to receptive fields).
    """
    filters = np.asarray(filters, float)
    side = filters.shape[-1]
    flat = filters.reshape(len(filters), -1)
    scale = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.where(scale, scale, 1)
    starts = _dictionary(side)
    explained = np.square(np.einsum("sbp,fp->fsb", _basis(starts, side), unit, optimize=True))
    best = starts[explained.sum(axis=2).argmax(axis=1)]
    low, high = _bounds(side)
    found = np.array(
        [
            least_squares(_residual, start, bounds=(low, high), args=(w, side), max_nfev=40).x
            for start, w in zip(best, unit, strict=True)
        ]
    )
    basis = _basis(found, side)
    fitted = np.einsum("fbp,fbq,fq->fp", basis, basis, unit)
    return Gabors(
        r_squared=np.square(fitted).sum(axis=1),
        orientation=found[:, 2] % np.pi,
        frequency=found[:, 3],
        images=(fitted * scale).reshape(filters.shape),
    )


def _bounds(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of row, column, orientation, f, α and β; orientations may exceed [0, π)."""
    low = [0, 0, -2 * np.pi, 0.5 / side, 0.5, 0.5]
    return np.array(low), np.array([side - 1, side - 1, 3 * np.pi, 0.5, side / 4, side / 2])


def _dictionary(side: int) -> np.ndarray:
    """Initial parameters [starts, 6] that cover the bounds."""
    positions = np.arange(0.5, side - 1, side / 6)
    orientations = np.arange(8) * np.pi / 8
    frequencies, across, along = (
        (0.08, 0.15, 0.25, 0.38),
        (side / 10, side / 5),
        (side / 8, side / 3),
    )
    grids = np.meshgrid(positions, positions, orientations, frequencies, across, along)
    return np.stack(grids, axis=-1).reshape(-1, 6)


def _basis(parameters: np.ndarray, side: int) -> np.ndarray:
    """Orthonormal even and odd function of each row of parameters: [rows, 2, side²]."""
    row, column, orientation, frequency, across, along = parameters.T[..., None]
    rows, columns = (grid.ravel() for grid in np.mgrid[:side, :side])
    down, right = rows - row, columns - column
    u = down * np.cos(orientation) - right * np.sin(orientation)
    v = down * np.sin(orientation) + right * np.cos(orientation)
    envelope = np.exp(-((u / across) ** 2) / 2 - (v / along) ** 2 / 2)
    even, odd = (envelope * wave(2 * np.pi * frequency * u) for wave in (np.cos, np.sin))
    even = even / np.linalg.norm(even, axis=1, keepdims=True)
    odd = odd - even * np.sum(odd * even, axis=1, keepdims=True)
    return np.stack([even, odd / np.linalg.norm(odd, axis=1, keepdims=True)], axis=1)


def _residual(parameters: np.ndarray, w: np.ndarray, side: int) -> np.ndarray:
    """Residual of a filter after projection on the functions with these parameters."""
    (basis,) = _basis(parameters[None], side)
    return w - (w @ basis.T) @ basis
