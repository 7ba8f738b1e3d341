"""Extents of filters against shapes of known extents."""

import numpy as np
import pytest

from experiments.denoising_filters import extents


def filters_of(image):
    return np.stack([image, -3 * image])  # sign and scale do not matter


def test_the_participation_ratio_counts_equal_pixels():
    image = np.zeros((28, 28))
    image[3:7, 10:15] = -0.5
    assert extents(filters_of(image))["participation ratio"] == pytest.approx(20)


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_width_and_stroke_of_a_gaussian_are_exact(sigma):
    rows, columns = np.mgrid[:41, :41]
    image = np.exp(-((rows - 18) ** 2 + (columns - 22) ** 2) / (2 * sigma**2))
    found = extents(filters_of(image))
    # w² is a Gaussian of σ/√2; ∫ w² = πσ², ∫ |∇w|² = π, so that the stroke is σ√2.
    assert found["width"] == pytest.approx(sigma / np.sqrt(2), rel=1e-3)
    assert found["stroke"] == pytest.approx(sigma * np.sqrt(2), rel=0.05)
    assert found["participation ratio"] == pytest.approx(2 * np.pi * sigma**2, rel=1e-3)


def test_leading_axes_are_preserved():
    filters = np.random.default_rng(0).normal(size=(3, 5, 7, 8, 8))
    assert extents(filters)["width"].shape == (3, 5)
    assert extents(filters)["width"][1, 2] == pytest.approx(extents(filters[1, 2])["width"])
