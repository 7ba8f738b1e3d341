"""Patches of whitened photographs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from aejax import data

PHOTOGRAPHS = Path(__file__).parents[3] / "shared/data/natural_images/olshausen_whitened.npz"
SIDE = 12
"""Side of a patch in pixels."""


def load(path: str) -> data.Dataset:
    """Load whitened patches of Olshausen & Field's photographs, or of scikit-learn's two photos."""
    if path == "photos":
        photos = data.photos()
        whiten = _whitening(photos.x_train)
        return data.Dataset("photos", whiten(photos.x_train), whiten(photos.x_test))
    file = PHOTOGRAPHS if path == "natural_images" else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; pass the path of {PHOTOGRAPHS.name} as --data")
    with np.load(file) as arrays:
        images = arrays["images"][:, 8:-8, 8:-8]  # without whitening artefacts at the borders
    images = images / images.std(axis=(1, 2), keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))
    generator = np.random.default_rng(0)
    chosen = tuple(generator.integers(n, size=25_000) for n in windows.shape[:3])
    return data.Dataset("natural_images", windows[chosen][:20_000], windows[chosen][20_000:])


def _whitening(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """ZCA whitening x ↦ (x − mean) (Σ + ε)^(−½), with ε = 1 % of the mean variance."""
    flat = x.reshape(len(x), -1)
    values, vectors = np.linalg.eigh(np.cov(flat.T))
    matrix = (vectors / np.sqrt(values + values.mean() / 100)) @ vectors.T
    return lambda x: ((x.reshape(len(x), -1) - flat.mean(axis=0)) @ matrix).reshape(x.shape)
