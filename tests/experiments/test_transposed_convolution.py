"""Figures of the convolution arithmetic guide and checkerboard metrics, against references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

from aejax.layers.convolution import transposed_convolution
from experiments.harness import convolution_guide
from experiments.harness.checkerboards import overlaps, periodic_share, unevenness

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
