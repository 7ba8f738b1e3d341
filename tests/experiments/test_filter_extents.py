"""Extents of filters against shapes of known extents."""

import numpy as np
import pytest

from experiments.harness.filter_extents import MEASURES, filter_extents, filter_images


def filters_of(image):
    return np.stack([image, -3 * image])  # sign and scale do not matter


def test_the_participation_ratio_counts_equal_pixels():
    image = np.zeros((28, 28))
    image[3:7, 10:15] = -0.5
    assert filter_extents(filters_of(image))["participation ratio"] == pytest.approx(20)


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_width_and_stroke_of_a_gaussian_are_exact(sigma):
    rows, columns = np.mgrid[:41, :41]
    image = np.exp(-((rows - 18) ** 2 + (columns - 22) ** 2) / (2 * sigma**2))
    found = filter_extents(filters_of(image))
    # w² is a Gaussian of σ/√2; ∫ w² = πσ², ∫ |∇w|² = π, so that the stroke is σ√2.
    assert found["width"] == pytest.approx(sigma / np.sqrt(2), rel=1e-3)
    assert found["stroke"] == pytest.approx(sigma * np.sqrt(2), rel=0.05)
    assert found["participation ratio"] == pytest.approx(2 * np.pi * sigma**2, rel=1e-3)
    # Half of a two-dimensional Gaussian w² lies within a disc of area πσ² log 2.
    assert found["half"] == pytest.approx(np.pi * sigma**2 * np.log(2), abs=2)


def test_the_autocorrelation_of_noise_is_zero_and_of_a_checkerboard_minus_one():
    noise = np.random.default_rng(0).normal(size=(200, 28, 28))
    found = filter_extents(noise)
    assert np.abs(found["autocorrelation"].mean()) < 0.01
    assert found["stroke"].mean() == pytest.approx(np.sqrt(0.5 * 28 / 27), rel=0.01)
    checkerboard = np.indices((28, 28)).sum(axis=0) % 2
    assert filter_extents(checkerboard)["autocorrelation"] == pytest.approx(-1)


def test_the_autocorrelation_is_that_of_a_moving_average():
    noise = np.random.default_rng(0).normal(size=(400, 33, 33))
    smooth = sum(noise[:, i : i + 30, j : j + 30] for i in range(4) for j in range(4))
    # Neighbours share 3 of 4 terms along an axis; the mean of a filter takes some of the variance.
    assert filter_extents(smooth)["autocorrelation"].mean() == pytest.approx(0.75, abs=0.01)


def test_leading_axes_are_preserved():
    filters = np.random.default_rng(0).normal(size=(3, 5, 7, 8, 8))
    found, one = filter_extents(filters), filter_extents(filters[1, 2, 3])
    assert set(found) == set(MEASURES)
    for name, values in found.items():
        assert values.shape == (3, 5, 7)
        assert values[1, 2, 3] == pytest.approx(one[name])


def test_kernels_become_one_image_per_unit():
    kernels = np.random.default_rng(0).normal(size=(2, 16, 5))
    images = filter_images(kernels)
    assert images.shape == (2, 5, 4, 4)
    np.testing.assert_array_equal(images[1, 3].ravel(), kernels[1, :, 3])
