"""Augmentations, against SciPy's affine transform of the same draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

import aejax
from aejax import Batch, augmentations, corruptions, losses
from aejax.augmentations import interpolation

KEY = jax.random.key(0)
IMAGES = jax.random.uniform(jax.random.key(1), (5, 9, 7))
EVERY = {"rotation": 0.3, "stretch": 0.2, "shear": 0.4, "shift": 1.5}


def by_scipy(image, draw):
    angle, log_height, log_width, shear, down, right = draw
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.array([[1, 0], [shear, 1]]) @ np.diag(np.exp([log_height, log_width])) @ rotation
    centre = (np.array(image.shape) - 1) / 2
    offset = centre - matrix @ centre + [down, right]
    padded = np.pad(image, 9)  # SciPy is zero already within one pixel beyond the edge
    offset = offset + 9 - matrix @ np.full(2, 9)
    transformed = scipy.ndimage.affine_transform(padded, matrix, offset, order=1, cval=0)
    return transformed[9:-9, 9:-9]


def test_augmented_images_match_scipys_affine_transform():
    augmented = jax.jit(augmentations.affine(**EVERY))(KEY, IMAGES)
    draws = np.asarray(jax.random.uniform(KEY, (5, 6), minval=-1.0))
    draws = draws * [0.3, 0.2, 0.2, 0.4, 1.5, 1.5]
    for image, draw, found in zip(np.asarray(IMAGES), draws, augmented, strict=True):
        np.testing.assert_allclose(found, by_scipy(image, draw), atol=2e-5)


def test_the_default_is_the_identity():
    np.testing.assert_allclose(augmentations.affine()(KEY, IMAGES), IMAGES, atol=1e-6)


def test_cubic_interpolation_blurs_less():
    """Noise shifted by a fraction of a pixel retains more of its variance."""
    images = jax.random.uniform(KEY, (20, 21, 21))
    linear, sharper = (
        np.asarray(jax.jit(augmentations.affine(shift=0.5, interpolation=each))(KEY, images))
        for each in (interpolation.linear, interpolation.cubic)
    )
    inside = np.s_[:, 2:-2, 2:-2]
    assert np.var(linear[inside]) < 0.9 * np.var(sharper[inside]) < 0.9 * np.var(images)


def test_shifts_are_uniform_up_to_the_maximum():
    """The shift of one bright row is that of its centre of mass."""
    row = jnp.zeros((200, 21, 21)).at[:, 10].set(1.0)
    shifted = np.asarray(jax.jit(augmentations.affine(shift=4.0))(KEY, row)).sum(axis=2)
    shifts = (shifted * np.arange(21)).sum(axis=1) / shifted.sum(axis=1) - 10
    assert 3.8 < np.abs(shifts).max() <= 4.0 + 1e-4
    assert abs(shifts.mean()) < 0.5


@pytest.mark.parametrize("name", EVERY)
def test_a_negative_maximum_is_refused(name):
    with pytest.raises(ValueError, match=f"maximum {name} must lie in .*, got -1"):
        augmentations.affine(**{name: -1.0})


def test_flat_examples_need_on_images():
    flat = IMAGES.reshape(5, -1)
    with pytest.raises(ValueError, match=r"wrap the augmentation in corruptions\.on_images"):
        augmentations.affine(shift=1.0)(KEY, flat)
    found = corruptions.on_images(augmentations.affine(**EVERY), image_shape=(9, 7))(KEY, flat)
    np.testing.assert_array_equal(
        found.reshape(5, 9, 7), augmentations.affine(**EVERY)(KEY, IMAGES)
    )


MODEL = aejax.dense((63, 4))


def halved(key, x):
    return x / 2


def test_an_augmented_example_is_input_and_target():
    objective = aejax.objective(MODEL, losses.squared, augmentation=halved)
    x, params = IMAGES.reshape(5, -1), MODEL.init(KEY)
    loss, _ = objective(params, Batch(x), KEY)
    plain, _ = aejax.objective(MODEL, losses.squared)(params, Batch(x / 2), KEY)
    assert loss == pytest.approx(float(plain), rel=1e-6)
    without, _ = aejax.noiseless(objective)(params, Batch(x), KEY)
    assert without == pytest.approx(
        float(aejax.objective(MODEL, losses.squared)(params, Batch(x), KEY)[0]), rel=1e-6
    )


def test_augmentation_and_corruption_use_different_keys():
    seen = []

    def record(key, x):
        seen.append((key, x))
        return x

    objective = aejax.objective(MODEL, losses.squared, augmentation=record, corruption=record)
    objective(MODEL.init(KEY), Batch(IMAGES.reshape(5, -1)), KEY)
    (first, _), (second, _) = seen
    assert not np.array_equal(jax.random.key_data(first), jax.random.key_data(second))


@pytest.mark.parametrize("part", ["target", "weight"])
def test_augmentation_with_targets_or_weights_is_refused(part):
    objective = aejax.objective(MODEL, losses.squared, augmentation=halved)
    x = IMAGES.reshape(5, -1)
    with pytest.raises(ValueError, match="the batch has targets or weights"):
        objective(MODEL.init(KEY), Batch(x, **{part: x}), KEY)
