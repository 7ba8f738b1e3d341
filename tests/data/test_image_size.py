"""Sizes of images: resizing against PyTorch, cropping against slices, parsing."""

import numpy as np
import pytest
import torch
from PIL import Image

from aejax.data import image_folder
from aejax.data.image_size import crop_centre, parse_size, resized

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(7, 5), (9, 30), (23, 3), (40, 41)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.uint16, np.int32])
def test_resizing_is_that_of_pytorch_with_antialiasing(size, dtype):
    x = RNG.integers(0, 250, (23, 17)).astype(dtype)
    given = torch.tensor(x.astype(np.float64))[None, None]
    expected = torch.nn.functional.interpolate(given, size, mode="bilinear", antialias=True)[0, 0]
    found = np.asarray(resized(Image.fromarray(x), size))
    assert found.dtype == dtype
    # Pillow rounds integers after each of its two passes.
    np.testing.assert_allclose(found, expected, atol=1e-3 if dtype == np.float32 else 1.01)


def test_colours_and_transparency_are_resized():
    x = RNG.integers(0, 256, (8, 6, 4), np.uint8)
    x[..., 3] = 255
    found = np.asarray(resized(Image.fromarray(x), (4, 3)))
    for channel in range(3):
        one = np.asarray(resized(Image.fromarray(x[..., channel]), (4, 3)))
        np.testing.assert_allclose(found[..., channel], one, atol=1)
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("stored", "shorter", "expected"),
    [
        ((60, 40), 20, (30, 20)),
        ((40, 60), 20, (20, 30)),
        ((3, 100), 1, (1, 33)),
        ((5, 5), 9, (9, 9)),
    ],
)
def test_the_shorter_side_keeps_the_aspect_ratio(stored, shorter, expected):
    image = Image.fromarray(np.zeros(stored, np.uint8))
    assert np.asarray(resized(image, shorter)).shape == expected


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (5, 4), (2, 4), (5, 1)])
def test_the_centre_is_cropped(size):
    x = RNG.integers(0, 256, (5, 4, 3), np.uint8)
    top, left = (5 - size[0]) // 2, (4 - size[1]) // 2
    expected = x[top : top + size[0], left : left + size[1]]
    np.testing.assert_array_equal(np.asarray(crop_centre(Image.fromarray(x), size)), expected)


def test_images_that_cannot_be_converted_are_named(tmp_path):
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png .*5x4 is smaller than the crop 6x4; .*--res"):
        image_folder(tmp_path, crop=(6, 4))
    Image.fromarray(np.zeros((5, 4), bool)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png .*1 bit per pixel, .*image_mode='L'"):
        image_folder(tmp_path, resize=(3, 3))
    assert image_folder(tmp_path, "L", resize=(3, 3)).shape == (1, 3, 3)


@pytest.mark.parametrize("size", [0, -1, (3,), (3, 0), (3, 4, 5), "3x4", 2.5, (2.0, 3.0), True])
def test_sizes_that_are_no_sizes_are_refused(tmp_path, size):
    unchecked = image_folder.__wrapped__  # without the type check of tests
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"^resize must be \(height, width\), or"):
        unchecked(tmp_path, resize=size)
    with pytest.raises(ValueError, match=r"^crop must be \(height, width\)"):
        unchecked(tmp_path, crop=size)


@pytest.mark.parametrize("text", ["", "x", "3x", "3x4x5", "-3x4", "3 x 4", "3.5", "²", "wide"])
def test_texts_that_are_no_sizes_are_refused(text):
    assert parse_size("3x4", "resize") == (3, 4)
    assert parse_size("300", "resize") == 300
    with pytest.raises(ValueError, match="resize must be HEIGHTxWIDTH"):
        parse_size(text, "resize")
