"""Real data that comes with scikit-learn: small handwritten digits, and patches of two photographs.

Both need no network and no preparation.
"""

import numpy as np
from jaxtyping import UInt8

from aejax.data.dataset import Dataset
from aejax.data.split import every_fifth


def digits() -> Dataset:
    """The 1797 handwritten digits of 8 × 8 pixels, values 0 to 16, float64, with labels 0 to 9.

    Returns:
        x [m, 8, 8]; every fifth example is test (see `every_fifth`): 1438 train, 359 test.

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
    """Grey patches of scikit-learn's two sample photographs, 427 × 640 pixels each, no labels.

    Grey is the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded. Train patches lie
    wholly in the left four fifths of a photograph, test patches in the right fifth, so that no
    pixel is in both. Position and photograph are drawn uniformly, with replacement.

    Args:
        patch_size: side of a patch in pixels, 1 to 128.
        train: number of train patches.
        test: number of test patches.
        seed: of NumPy's default generator; the same seed gives the same patches.

    Returns:
        x [m, patch_size, patch_size], uint8.

    Raises:
        ValueError: a patch that does not fit, or fewer than one patch.
        ImportError: pillow, which reads the photographs, is missing.
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
