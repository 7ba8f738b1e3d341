"""Images of three kinds for inpainting: digits, upright faces, and photographs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from aejax import data
from experiments.harness import faces
from experiments.harness.training import flatten_and_scale
from experiments.harness.whitened_photographs import PHOTOGRAPHS

Images = Float[np.ndarray, "images height width"]

SIDE = 28
"""Side of all images in pixels, that of MNIST."""

BORDER, CUTOFF = 16, 200
"""Omitted border of a photograph in pixels; cut-off frequency of the whitening filter, cycles."""


class Source(NamedTuple):
    """Training and test images with pixels in [0, 1]."""

    x: Images
    x_test: Images


def digit_images(dataset: data.Dataset, test: int, *, held_out: bool) -> Source:
    """Square images of a data set with bounds.

    Args:
        dataset: data set with bounds.
        test: number of test images.
        held_out: whether the last training images replace the test images.
    """
    x, x_test = (np.asarray(part) for part in flatten_and_scale(dataset))
    x, x_test = (x[:-test], x[-test:]) if held_out else (x, x_test[:test])
    side = round(x.shape[1] ** 0.5)
    return Source(x.reshape(-1, side, side), x_test.reshape(-1, side, side))


def face_images(path: str, count: int, *, held_out: bool) -> Source:
    """Faces of 28 × 28 pixels: random crops, half of them mirrored; test faces are of other people.

    A crop of 56 × 56 of the 64 × 64 pixels is averaged over squares of 2 × 2; the central crop of
    each test image is taken.

    Args:
        path: "olivetti", the path of its file, or "noise", which is synthetic.
        count: number of training crops.
        held_out: whether the last five training people replace the test people.
    """
    dataset = faces.load(path)
    images, images_test = dataset.x_train, dataset.x_test
    if held_out:
        last = dataset.labels_train > dataset.labels_train.max() - 5
        images, images_test = images[~last], images[last]
    crop = min(2 * SIDE, images.shape[1] // 2 * 2)
    rng, slack = np.random.default_rng(0), images.shape[1] - crop
    crops = [
        images[i, row : row + crop, column : column + crop][:, ::mirror]
        for i, row, column, mirror in zip(
            rng.integers(len(images), size=count),
            *rng.integers(slack + 1, size=(2, count)),
            rng.choice([1, -1], size=count),
            strict=True,
        )
    ]
    centre = slice(slack // 2, slack // 2 + crop)
    low, high = images.min(), images.max()
    return Source(*(
        (_averaged(np.asarray(part, np.float32)) - low) / (high - low)
        for part in (crops, images_test[:, centre, centre])
    ))  # fmt: skip


def photograph_images(path: str, count: int, test: int, *, held_out: bool) -> Source:
    """Patches of 28 × 28 pixels of photographs; test patches are of other photographs.

    Args:
        path: "natural_images", the path of its file, or "photos" for scikit-learn's two photos.
        count: number of training patches.
        test: number of test patches.
        held_out: whether the last training photograph replaces the test photographs.
    """
    if path == "photos":
        found = data.photos(patch_size=12, train=count, test=test)
        return Source(*(np.float32(part) / 255 for part in (found.x_train, found.x_test)))
    file = PHOTOGRAPHS if path == "natural_images" else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; pass the path of {PHOTOGRAPHS.name}")
    with np.load(file) as arrays:
        photographs = unwhitened(arrays["images"])[:, BORDER:-BORDER, BORDER:-BORDER]
    learned, asked = (6, [6]) if held_out else (7, [7, 8, 9])
    rng = np.random.default_rng(0)
    return Source(
        _patches(rng, photographs[:learned], count), _patches(rng, photographs[asked], test)
    )


def unwhitened(images: Images) -> Images:
    """Photographs from whitened ones, with grey values in [0, 1].

    The whitening filter of Olshausen & Field is R(f) = f exp(−(f/f_0)⁴), f_0 = 200 cycles per
    photograph. Its factor f is divided out; its low-pass filter remains. One per cent of the pixels
    at each end of the grey values are clipped.

    Args:
        images: whitened photographs.
    """
    rows, columns = (np.fft.fftfreq(side, 1 / side) for side in images.shape[1:])
    frequency = np.hypot(rows[:, None], columns)
    frequency[0, 0] = np.inf  # the mean, which whitening removed
    grey = np.fft.ifft2(np.fft.fft2(images) / frequency).real
    low, high = np.quantile(grey, (0.01, 0.99), axis=(1, 2))[:, :, None, None]
    return np.clip((grey - low) / (high - low), 0, 1).astype(np.float32)


def _patches(rng: np.random.Generator, images: Images, count: int) -> Images:
    windows = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))
    return windows[tuple(rng.integers(n, size=count) for n in windows.shape[:3])]


def _averaged(images: Images) -> Images:
    """Means over squares of 2 × 2 pixels."""
    count, height, width = images.shape
    return images.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
