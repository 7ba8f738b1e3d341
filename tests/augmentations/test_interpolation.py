"""Values between pixels: polynomials', those of JAX's resampling, and the pixels themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.augmentations.interpolation import cubic, linear

IMAGE = jax.random.uniform(jax.random.key(0), (9, 7))
WITHIN = jax.random.uniform(jax.random.key(1), (50, 2), minval=2.0, maxval=4.0)
EACH = pytest.mark.parametrize("interpolation", [linear, cubic])


@EACH
def test_on_pixels_it_is_the_pixel(interpolation):
    places = jnp.stack(jnp.indices((9, 7), float), axis=-1)
    np.testing.assert_allclose(interpolation(IMAGE, places), IMAGE, atol=1e-6)


@pytest.mark.parametrize(("interpolation", "degree"), [(linear, 1), (cubic, 2)])
def test_polynomials_are_kept_up_to_their_degree(x64, interpolation, degree):
    """In y and in x; one degree more is not kept, or the test would see nothing."""
    y, x = jnp.indices((9, 7), float)

    def value(y, x, degree):
        return (y - 4.0) ** degree * (2.0 - (x - 3.0) ** degree)

    places = WITHIN.astype(float)
    for kept, power in ((True, degree), (False, degree + 1)):
        found = interpolation(value(y, x, power), places)
        assert np.allclose(found, value(*places.T, power), atol=1e-10) == kept


@pytest.mark.parametrize(("interpolation", "method"), [(linear, "linear"), (cubic, "cubic")])
def test_a_stretched_and_shifted_image_is_that_of_jaxs_own_resampling(interpolation, method):
    image = jnp.pad(IMAGE, 4)  # JAX weighs what lies near the edge in another way
    scale, shift = jnp.array([1.3, 0.9]), jnp.array([0.4, 1.7])
    wanted = jax.image.scale_and_translate(
        image, image.shape, (0, 1), scale, shift, method, antialias=False
    )
    pixels = jnp.stack(jnp.indices(image.shape, jnp.float32), axis=-1) + 0.5
    found = interpolation(image, (pixels - shift) / scale - 0.5)
    wanted = jnp.clip(wanted, 0, jnp.max(image))
    np.testing.assert_allclose(found[3:-3, 3:-3], wanted[3:-3, 3:-3], atol=1e-5)


@EACH
def test_beyond_the_edge_is_zero_and_nothing_leaves_the_range(interpolation):
    places = jax.random.uniform(jax.random.key(2), (500, 2), minval=-9.0, maxval=18.0)
    values = np.asarray(interpolation(IMAGE, places))
    far = ((places < -2) | (places > jnp.array([10.0, 8.0]))).any(axis=1)
    assert far.sum() > 100
    assert (values[far] == 0).all()
    assert values.min() >= 0
    assert values.max() <= IMAGE.max()
