import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_images

from aejax.data import digits, fingerprint, load, photos


def test_digits_match_scikit_learn():
    stored, dataset = load_digits(), load("digits")
    test = np.arange(1797) % 5 == 4
    np.testing.assert_array_equal(dataset.x_train, stored.images[~test])
    np.testing.assert_array_equal(dataset.x_test, stored.images[test])
    np.testing.assert_array_equal(dataset.labels_train, stored.target[~test])
    np.testing.assert_array_equal(dataset.labels_test, stored.target[test])
    assert (dataset.low, dataset.high) == (0, 16) == (stored.images.min(), stored.images.max())
    assert fingerprint(digits()) == fingerprint(dataset)


def test_photos_depend_on_the_seed():
    assert fingerprint(load("photos")) == fingerprint(photos())
    assert fingerprint(photos(seed=1)) != fingerprint(photos())
    dataset = photos(patch_size=8, train=50, test=20)
    assert dataset.x_train.shape == (50, 8, 8)
    assert dataset.x_test.shape == (20, 8, 8)
    assert dataset.x_train.dtype == np.uint8


def test_patches_come_from_the_grey_photographs_and_disjoint_regions():
    size = 6
    dataset = photos(patch_size=size, train=40, test=40)
    red, green, blue = np.moveaxis(np.stack(load_sample_images().images).astype(float), -1, 0)
    grey = np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(grey, (size, size), axis=(1, 2))
    border = 640 * 4 // 5
    for patches, left, right in (
        (dataset.x_train, 0, border - size),
        (dataset.x_test, border, 640 - size),
    ):
        for patch in patches:
            places = np.argwhere((windows[:, :, :, 0] == patch[0]).all(-1))
            columns = [c for p, r, c in places if (windows[p, r, c] == patch).all()]
            assert any(left <= column <= right for column in columns)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 129}, "patch_size is 129; expected 1 to 128"),
        ({"patch_size": 0}, "patch_size is 0; expected 1 to 128"),
        ({"train": 0}, "train is 0 and test is 2500; expected at least 1"),
        ({"test": -1}, "test is -1"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        photos(**arguments)
