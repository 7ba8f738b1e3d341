"""Streamed examples: conversion to normalised float32 rows."""

import numpy as np
import pytest
from PIL import Image

from aejax.runs.configuration import Training
from aejax.runs.streamed_examples import load_streamed

PIXELS = np.random.default_rng(0).integers(256, size=(10, 4, 3), dtype=np.uint8)


def streamed(path, **settings):
    return load_streamed(
        Training(data=str(path), stream=True, batch_size=4, validation=0.0, **settings)
    )


@pytest.mark.parametrize(
    ("stored", "greatest"), [(PIXELS, 255), (PIXELS * np.uint16(257), 65535), (PIXELS > 99, 1)]
)
def test_images_of_every_depth_are_scaled_by_their_range(tmp_path, stored, greatest):
    for i, image in enumerate(stored):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    rows, _ = streamed(tmp_path).pca_examples()
    assert rows.dtype == np.float32
    np.testing.assert_allclose(
        rows, np.delete(stored, [4, 9], axis=0).reshape(8, 12) / greatest, rtol=1e-7
    )


def test_palette_images_are_converted_on_request(tmp_path):
    for i, image in enumerate(PIXELS // 64 * 85):
        Image.fromarray(image).quantize(4).save(tmp_path / f"{i}.gif")
    with pytest.raises(ValueError, match="its mode P is neither grey nor RGB; image_mode='RGB'"):
        streamed(tmp_path)
    found = streamed(tmp_path, image_mode="L")
    np.testing.assert_array_equal(found.shown().raw, (PIXELS // 64 * 85)[[4, 9]])


def test_values_beyond_float32_are_normalised_in_float64(tmp_path):
    x = 1e60 + np.random.default_rng(0).normal(size=(10, 3)) * 1e50
    np.save(tmp_path / "x.npy", x)
    rows, _ = streamed(tmp_path / "x.npy", normalise="standardise").pca_examples()
    train = np.delete(x, [4, 9], axis=0) / 1e60 - 1
    expected = (train - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(rows, expected, atol=1e-4)
    with pytest.raises(ValueError, match="beyond the range of float32"):
        streamed(tmp_path / "x.npy", normalise="none").pca_examples()
