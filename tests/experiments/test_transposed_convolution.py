"""Figures of the convolution arithmetic guide and checkerboard metrics, against references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

from aejax.layers.convolution import transposed_convolution
from experiments.harness import convolution_guide
from experiments.harness.checkerboards import (
    common_pattern,
    contrasts,
    flat_images,
    overlaps,
    periodic_share,
    reconstructed_centres,
    side_for,
    spread,
    unevenness,
)

KERNEL = np.asarray(convolution_guide.KERNEL)[..., 0, 0]


def test_figure_2_1_is_a_convolution_of_4_by_4_to_2_by_2():
    convolved = convolution_guide.convolution_example()
    np.testing.assert_array_equal(convolved.y, correlate2d(convolved.x, KERNEL, "valid"))
    assert convolved.y.shape == (2, 2)
    assert convolved.given.all()


def test_figure_4_5_is_the_transpose_from_2_by_2_to_5_by_5():
    transpose = convolution_guide.transposed_example()
    assert (transpose.x.shape, transpose.y.shape) == ((7, 7), (5, 5))
    assert np.argwhere(transpose.given).tolist() == [[2, 2], [2, 4], [4, 2], [4, 4]]
    y = jnp.array([[1.0, 2], [3, 4]])[None, ..., None]
    expected = transposed_convolution(y, convolution_guide.KERNEL, strides=(2, 2))[0, ..., 0]
    np.testing.assert_array_equal(transpose.y, expected)


def test_each_output_sums_the_inputs_under_the_kernel():
    transpose, flipped = convolution_guide.transposed_example(), KERNEL[::-1, ::-1]
    for row, column in ((0, 0), (1, 2), (4, 4)):
        under = transpose.under(row, column)
        total = np.sum(transpose.x[under] * flipped.ravel())
        assert total == transpose.y[row, column]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_overlap_is_uniform_exactly_if_the_stride_divides_the_kernel(stride):
    uneven = unevenness(stride, 6)
    for kernel, counts in enumerate(overlaps(stride, 6), 1):
        terms = [sum(tap % stride == phase for tap in range(kernel)) for phase in range(stride)]
        np.testing.assert_array_equal(counts, np.outer(terms, terms))
        expected = np.std(np.outer(terms, terms)) / np.mean(terms) ** 2
        assert float(uneven[kernel - 1]) == pytest.approx(expected, rel=1e-5)
        assert (uneven[kernel - 1] == 0) == (kernel % stride == 0)


@pytest.mark.parametrize("period", [2, 3])
def test_periodic_share_is_the_energy_at_the_frequencies_of_the_period(period):
    images = jax.random.normal(jax.random.key(0), (4, 12, 18)) + 0.3
    spectrum = np.abs(np.fft.fft2(images)) ** 2
    energy = spectrum[:, :: 12 // period, :: 18 // period].sum()
    share = 1 - spectrum[:, 0, 0].sum() / energy
    assert float(periodic_share(images, period)) == pytest.approx(share, rel=1e-4)
    assert float(periodic_share(jnp.ones((2, 12, 18)), period)) == 0


@pytest.mark.parametrize("period", [2, 3])
def test_contrasts_and_the_common_pattern_are_separated(period):
    rng = np.random.default_rng(0)
    scale, offset = rng.uniform(1, 3, (2, period, period))
    content = rng.normal(size=(4, 6 * period, 8 * period))
    images = content * np.tile(scale, (6, 8)) + np.tile(offset, (6, 8))
    by_hand = [images[:, i::period, j::period] for i in range(period) for j in range(period)]
    deviations = np.array([pixels.std() for pixels in by_hand])
    means = np.array([pixels.mean() for pixels in by_hand])
    np.testing.assert_allclose(contrasts(images, period), deviations, rtol=1e-5)
    np.testing.assert_allclose(contrasts(images + 7, period), deviations, rtol=1e-5)
    expected = means.std() / deviations.mean()
    assert float(common_pattern(images, period)) == pytest.approx(expected, rel=1e-4)


def test_the_spread_of_many_networks_has_only_what_they_share():
    rng = np.random.default_rng(0)
    even = rng.uniform(0.5, 1.5, (4000, 4))
    assert float(spread(even[0])) == pytest.approx(even[0].std() / even[0].mean(), rel=1e-5)
    assert float(spread(even)) < 0.03
    assert float(spread(even * np.array([2.0, 1, 1, 1]))) > 0.2
    assert float(spread(3 * even)) == pytest.approx(float(spread(even)), rel=1e-5)


@pytest.mark.parametrize("up", ["transposed", "resized"])
@pytest.mark.parametrize(("stride", "kernel"), [(2, 6), (3, 6)])
def test_measured_pixels_are_unaffected_by_the_edges(up, stride, kernel):
    import aejax
    from aejax import Geometry
    from aejax.models import resized, transposed

    period = stride**2
    side = side_for(period)
    assert side % period == 0
    assert side <= 128  # of a photograph's patch
    model = aejax.convolutional(
        (side, side, 1),
        (2, 2),
        geometry=Geometry((kernel, kernel), (stride, stride), "same"),
        up={"transposed": transposed, "resized": resized}[up],
    )
    params = model.init(jax.random.key(0))
    centres = reconstructed_centres(model, params, flat_images(side), period)
    cells = centres.reshape(8, 4, period, 4, period)
    np.testing.assert_allclose(cells, cells[:, :1, :, :1].repeat(4, 1).repeat(4, 3), atol=1e-5)
    if up == "resized":
        assert float(periodic_share(centres, period)) < 1e-9
