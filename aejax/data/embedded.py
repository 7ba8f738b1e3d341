"""Data sets included in scikit-learn: handwritten digits, and patches of two photographs.

Neither needs a download or preparation.
"""

import numpy as np
from jaxtyping import UInt8

from aejax.data.dataset import Dataset
from aejax.data.split import every_fifth


def digits() -> Dataset:
    """1797 handwritten digits of 8 × 8 pixels, with values 0 to 16 in float64 and labels 0 to 9.

    Returns:
        x [m, 8, 8], split by `every_fifth` into 1438 train and 359 test examples.

    Source: Alpaydin & Kaynak 1998; the copy in scikit-learn.
    """
    from sklearn.datasets import load_digits

    x, labels = map(np.asarray, load_digits(return_X_y=True))
    x_train, x_test = every_fifth(x.reshape(-1, 8, 8))
    labels_train, labels_test = every_fifth(labels)
    return Dataset("digits", x_train, x_test, labels_train, labels_test, low=0.0, high=16.0)


def photos(
    *, patch_size: int = 12, train: int = 10_000, test: int = 2_500, seed: int = 0
) -> Dataset:
    """Greyscale patches of scikit-learn's two sample photographs of 427 × 640 pixels, unlabelled.

    Grey is the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded. Train patches are from
    the left four fifths of a photograph, test patches from the right fifth, so that they share no
    pixel. Position and photograph are drawn uniformly, with replacement.

    Args:
        patch_size: side of a patch in pixels, 1 to 128.
        train: number of train patches.
        test: number of test patches.
        seed: seed of NumPy's default generator.

    Returns:
        x [m, patch_size, patch_size], uint8.

    Raises:
        ValueError: for a patch size out of range, or fewer than one patch.
        ImportError: if pillow, which reads the photographs, is missing.
    """
    from sklearn.datasets import load_sample_images

    red_green_blue = np.stack(load_sample_images().images)
    grey = np.rint(red_green_blue @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    border = grey.shape[2] * 4 // 5
    largest = grey.shape[2] - border
    if not 1 <= patch_size <= largest:
        raise ValueError(f"patch_size is {patch_size}; expected 1 to {largest}")
    if train < 1 or test < 1:
        raise ValueError(f"train is {train} and test is {test}; expected at least 1 patch of each")
    generator = np.random.default_rng(seed)
    x_train = _patches(generator, grey[:, :, :border], patch_size, train)
    x_test = _patches(generator, grey[:, :, border:], patch_size, test)
    return Dataset("photos", x_train, x_test, low=0.0, high=255.0)


def _patches(
    generator: np.random.Generator,
    photographs: UInt8[np.ndarray, "photographs height width"],
    size: int,
    count: int,
) -> UInt8[np.ndarray, "count size size"]:
    """Draw square patches uniformly over photographs and positions."""
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (size, size), axis=(1, 2))
    photograph, row, column = (generator.integers(n, size=count) for n in windows.shape[:3])
    return windows[photograph, row, column]
