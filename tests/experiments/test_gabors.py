"""Gabor fits to synthetic Gabor functions and to other images."""

import numpy as np
import pytest

from experiments.harness.gabors import fit_gabors

ROWS, COLUMNS = np.mgrid[:12, :12]


def made(orientation, frequency, phase, across=1.8, along=2.5):
    """A Gabor function about row 5, column 6.4, by its definition."""
    down, right = ROWS - 5, COLUMNS - 6.4
    u = down * np.cos(orientation) - right * np.sin(orientation)
    v = down * np.sin(orientation) + right * np.cos(orientation)
    envelope = np.exp(-(u**2) / (2 * across**2) - v**2 / (2 * along**2))
    return envelope * np.cos(2 * np.pi * frequency * u + phase)


@pytest.mark.parametrize("orientation", [0.2, 1.1, 2.6])
@pytest.mark.parametrize(("frequency", "phase"), [(0.16, 0.0), (0.3, 1.3)])
def test_a_gabor_function_is_recovered_with_orientation_and_frequency(
    orientation, frequency, phase
):
    noise = np.random.default_rng(0).normal(size=(12, 12))
    filters = np.stack(
        [made(orientation, frequency, phase), -3 * made(orientation, frequency, phase)]
    )
    found = fit_gabors(filters + 1e-3 * noise)
    np.testing.assert_allclose(found.r_squared, 1, atol=1e-3)
    np.testing.assert_allclose(found.orientation, orientation, atol=0.02)
    np.testing.assert_allclose(found.frequency, frequency, atol=0.01)
    np.testing.assert_allclose(found.images, filters, atol=0.05)
    assert found.edges(0.7).all()


def test_bars_down_to_the_right_have_an_acute_orientation():
    band = np.exp(-((ROWS - COLUMNS) ** 2) / 4) - 0.5 * np.exp(-((ROWS - COLUMNS) ** 2) / 16)
    (orientation,) = fit_gabors(band[None]).orientation
    assert orientation == pytest.approx(np.pi / 4, abs=0.05)


def test_r_squared_is_one_minus_the_residual_share():
    filters = made(0.5, 0.2, 0.4) + 0.3 * np.random.default_rng(1).normal(size=(3, 12, 12))
    found = fit_gabors(filters)
    left = np.square(filters - found.images).sum(axis=(1, 2)) / np.square(filters).sum(axis=(1, 2))
    np.testing.assert_allclose(found.r_squared, 1 - left, rtol=1e-6)


def test_noise_blobs_checks_and_zeros_are_not_edges():
    noise = np.random.default_rng(2).normal(size=(4, 12, 12))
    blob = np.exp(-((ROWS - 5) ** 2 + (COLUMNS - 6) ** 2) / 4)
    checks = np.cos(np.pi * ROWS / 3) * np.cos(np.pi * COLUMNS / 3)
    found = fit_gabors([*noise, blob, checks, np.zeros((12, 12))])
    assert (found.r_squared[:4] < 0.3).all()
    assert found.r_squared[4] > 0.95  # a Gabor function of low frequency
    assert found.r_squared[5] < 0.6
    assert found.r_squared[6] == 0
    assert not found.edges(0.7).any()
    assert found.edges(0.3)[5]  # the threshold decides
