"""Interpolation against polynomials, `jax.image.scale_and_translate` and the pixels themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.augmentations import interpolation

linear, cubic = jax.jit(interpolation.linear), jax.jit(interpolation.cubic)
IMAGE = jax.random.uniform(jax.random.key(0), (9, 7))
WITHIN = jax.random.uniform(jax.random.key(1), (50, 2), minval=2.0, maxval=4.0)
EACH = pytest.mark.parametrize("interpolation", [linear, cubic])


@EACH
def test_interpolation_at_pixels_is_the_pixel(interpolation):
    points = jnp.stack(jnp.indices((9, 7), float), axis=-1)
    np.testing.assert_allclose(interpolation(IMAGE, points), IMAGE, atol=1e-6)


@pytest.mark.parametrize(("interpolation", "degree"), [(linear, 1), (cubic, 2)])
def test_polynomials_are_exact_up_to_a_degree(x64, interpolation, degree):
    """In y and in x; one degree more is not exact."""
    y, x = jnp.indices((9, 7), float)

    def value(y, x, degree):
        return (y - 4.0) ** degree * (2.0 - (x - 3.0) ** degree)

    points = WITHIN.astype(float)
    for exact, power in ((True, degree), (False, degree + 1)):
        found = interpolation(value(y, x, power), points)
        assert np.allclose(found, value(*points.T, power), atol=1e-10) == exact


@pytest.mark.parametrize(("interpolation", "method"), [(linear, "linear"), (cubic, "cubic")])
def test_scaling_and_translation_match_jax_image(interpolation, method):
    image = jnp.pad(IMAGE, 4)  # JAX has other weights near the edge
    scale, shift = jnp.array([1.3, 0.9]), jnp.array([0.4, 1.7])
    wanted = jax.image.scale_and_translate(
        image, image.shape, (0, 1), scale, shift, method, antialias=False
    )
    pixels = jnp.stack(jnp.indices(image.shape, jnp.float32), axis=-1) + 0.5
    found = interpolation(image, (pixels - shift) / scale - 0.5)
    wanted = jnp.clip(wanted, 0, jnp.max(image))
    np.testing.assert_allclose(found[3:-3, 3:-3], wanted[3:-3, 3:-3], atol=1e-5)


@EACH
def test_values_are_zero_outside_and_within_the_range_of_the_image(interpolation):
    points = jax.random.uniform(jax.random.key(2), (500, 2), minval=-9.0, maxval=18.0)
    values = np.asarray(interpolation(IMAGE, points))
    far = ((points < -2) | (points > jnp.array([10.0, 8.0]))).any(axis=1)
    assert far.sum() > 100
    assert (values[far] == 0).all()
    assert values.min() >= 0
    assert values.max() <= IMAGE.max()
