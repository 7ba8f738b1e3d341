"""Patches of faces against SciPy's interpolation; training and test people are disjoint."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from experiments.harness.faces import SCALES, SIDE, extract_patch, load, sample_patches


@pytest.mark.parametrize(("turn", "scale"), [(0.0, 1.4), (0.7, 1.8), (-np.pi / 2, 1.5)])
def test_a_patch_is_scipys_rotation_and_zoom_about_the_centre(turn, scale):
    image = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = 64 / (SIDE * scale) * rotation
    offset = 31.5 - matrix @ np.full(2, (SIDE - 1) / 2)
    expected = ndimage.affine_transform(
        image, matrix, offset, (SIDE, SIDE), order=1, mode="nearest"
    ).reshape(-1)
    found = extract_patch(jnp.asarray(image), jnp.asarray(turn), jnp.asarray(scale))
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)


def test_a_patch_stays_inside_the_image():
    side = (SIDE - 1) * 64 / (SIDE * SCALES[0])
    assert np.hypot(side, side) <= 63  # the corners fit for every rotation


def test_patches_show_every_image_with_zero_mean():
    images = jnp.stack([jnp.ones((64, 64)), jax.random.normal(jax.random.key(0), (64, 64))])
    found = sample_patches(jax.random.key(1), images, each=3)
    assert found.shape == (6, SIDE**2)
    np.testing.assert_allclose(found[:3], 0, atol=1e-6)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    assert len(np.unique(np.asarray(found[3:]), axis=0)) == 3


def test_no_person_is_in_both_training_and_test_set(shared_data):
    file = shared_data / "olivetti" / "olivetti_64x64.npz"
    if not file.exists():
        pytest.skip(f"{file} is missing")
    faces = load(str(file))
    assert faces.x_train.shape == (300, 64, 64)
    assert not set(faces.labels_train) & set(faces.labels_test)
    assert len(set(faces.labels_test)) == 10


def test_a_missing_file_is_reported():
    with pytest.raises(FileNotFoundError, match="pass the path of"):
        load("nowhere.npz")
