"""Convolutions against PyTorch; their transposes as a matrix, a gradient and a convolution."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from aejax.layers.convolution import (
    convolution,
    convolution_matrix,
    flipped,
    transposed_convolution,
    zero_inserted,
)
from aejax.layers.convolution_arithmetic import Geometry, decoder_geometry

PRECISIONS = [(np.float32, 1e-5), (np.float64, 1e-10)]


def drawn(seed):
    """A convolution drawn at random: an input, a kernel, and options with paddings as pairs."""
    rng = np.random.default_rng(seed)
    axes, groups = 1 + seed % 3, int(rng.integers(1, 4))
    window, strides, dilation = (rng.integers(1, high, axes) for high in (4, 4, 3))
    padding = rng.integers(0, 3, axes)
    shape = np.maximum(dilation * (window - 1) + 1 - 2 * padding, 1) + rng.integers(0, 5, axes)
    inputs, outputs = rng.integers(1, 3, 2)
    x = rng.normal(size=(2, *shape, groups * inputs))
    kernel = rng.normal(size=(*window, inputs, groups * outputs))
    options = {"strides": strides, "dilation": dilation}
    options = {name: tuple(map(int, values)) for name, values in options.items()}
    options |= {"padding": tuple((int(p), int(p)) for p in padding), "groups": groups}
    return x, kernel, options, rng


def channels_first(array):
    return torch.tensor(np.moveaxis(np.asarray(array), -1, 1).copy(), requires_grad=True)


def torch_kernel(kernel):
    """Kernel [*window, in, out] in PyTorch's layout, [out, in, *window]."""
    axes = range(kernel.ndim - 2)
    return torch.tensor(
        kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *axes).copy(), requires_grad=True
    )


def assert_as_pytorch(ours, x, kernel, theirs, tolerance):
    """Compare values and gradients (of a weighted sum), relative to the largest."""
    tensors = channels_first(x), torch_kernel(kernel)
    expected = theirs(*tensors)
    shape = (expected.shape[0], *expected.shape[2:], expected.shape[1])
    weights = np.random.default_rng(0).normal(size=shape).astype(x.dtype)
    expected.backward(channels_first(weights).detach())

    @jax.jit
    def values_and_gradients(x, kernel, weights):
        y, back = jax.vjp(ours, x, kernel)
        return y, *back(weights)

    computed = values_and_gradients(x, kernel, weights)
    references = (
        np.moveaxis(expected.detach().numpy(), 1, -1),
        np.moveaxis(tensors[0].grad.numpy(), 1, -1),
        np.moveaxis(tensors[1].grad.numpy(), (1, 0), (-2, -1)),
    )
    for array, reference in zip(computed, references, strict=True):
        assert array.dtype == reference.dtype
        largest = max(1, np.abs(reference).max())
        np.testing.assert_allclose(array, reference, rtol=0, atol=tolerance * largest)


def assert_convolution_matches_pytorch(seed, dtype, tolerance):
    x, kernel, options, _ = drawn(seed)
    x, kernel = x.astype(dtype), kernel.astype(dtype)
    theirs = partial(
        getattr(torch.nn.functional, f"conv{x.ndim - 2}d"),
        stride=options["strides"],
        padding=[low for low, _ in options["padding"]],
        dilation=options["dilation"],
        groups=options["groups"],
    )
    assert_as_pytorch(partial(convolution, **options), x, kernel, theirs, tolerance)


def assert_transpose_matches_pytorch(seed, dtype, tolerance):
    x, kernel, options, rng = drawn(seed)
    steps = np.maximum(options["strides"], options["dilation"])
    added = tuple(int(rng.integers(0, step)) for step in steps)
    shape = np.array(x.shape[1:-1]) + np.sum(options["padding"], axis=1)  # not empty
    y = rng.normal(size=(2, *shape, kernel.shape[-1])).astype(dtype)
    theirs = partial(
        getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d"),
        stride=options["strides"],
        padding=[low for low, _ in options["padding"]],
        output_padding=added,
        dilation=options["dilation"],
        groups=options["groups"],
    )
    ours = partial(transposed_convolution, output_padding=added, **options)
    assert_as_pytorch(ours, y, kernel.astype(dtype), theirs, tolerance)


@pytest.mark.parametrize("seed", range(6))
def test_convolution_and_its_transpose_match_pytorch(seed, x64):
    assert_convolution_matches_pytorch(seed, *PRECISIONS[seed % 2])
    assert_transpose_matches_pytorch(seed, *PRECISIONS[seed % 2])


def test_an_axis_that_xla_would_mistake_for_groups_matches_pytorch(x64):
    _, kernel, options, _ = drawn(16)
    assert (kernel.shape[0], options["strides"][0], options["padding"][0]) == (2, 2, (1, 1))
    assert_convolution_matches_pytorch(16, np.float64, 1e-10)
    assert_transpose_matches_pytorch(16, np.float64, 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_random_convolutions_and_transposes_match_pytorch(seed, x64):
    for precision in PRECISIONS:
        assert_convolution_matches_pytorch(seed, *precision)
        assert_transpose_matches_pytorch(seed, *precision)


def test_figure_2_1_of_the_guide_as_its_matrix():
    w = np.arange(1.0, 10).reshape(3, 3)
    row = [*w[0], 0, *w[1], 0, *w[2]]
    guide = np.array([np.pad(row, (before, 5 - before)) for before in (0, 1, 4, 5)])
    kernel = jnp.asarray(w[..., None, None])
    matrix = convolution_matrix(kernel, shape=(4, 4))
    np.testing.assert_array_equal(matrix, guide.T)
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(convolution(x, kernel).ravel(), guide @ x.ravel())


def test_figure_4_5_of_the_guide_as_its_zero_inserted_input():
    y = jnp.array([[1.0, 2], [3, 4]])[None, ..., None]
    kernel = jnp.arange(1.0, 10).reshape(3, 3, 1, 1)
    guide = np.zeros((7, 7))
    guide[2:5:2, 2:5:2] = [[1, 2], [3, 4]]
    stretched = zero_inserted(y, Geometry((3, 3), (2, 2)))
    np.testing.assert_array_equal(stretched[0, ..., 0], guide)
    overlapping = np.zeros((5, 5))
    for row, column in np.ndindex(2, 2):
        place = np.s_[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        overlapping[place] += guide[2 + 2 * row, 2 + 2 * column] * np.asarray(kernel[..., 0, 0])
    for x in (
        convolution(stretched, flipped(kernel)),
        transposed_convolution(y, kernel, strides=(2, 2)),
    ):
        np.testing.assert_array_equal(x[0, ..., 0], overlapping)


@pytest.mark.parametrize("seed", range(6))
def test_a_transpose_is_the_transposed_matrix_the_gradient_and_a_zero_inserted_convolution(seed):
    """On integers, so that all four are bit-identical; paddings are asymmetric."""
    x, kernel, options, rng = drawn(seed)
    options["padding"] = tuple((low, int(rng.integers(0, 3))) for low, _ in options["padding"])
    x, kernel = (jnp.asarray(np.round(3 * array), jnp.float32) for array in (x, kernel))
    groups, shape = options.pop("groups"), x.shape[1:-1]

    @jax.jit
    def all_four(x, kernel):
        y, pull = jax.vjp(lambda x: convolution(x, kernel, groups=groups, **options), x)
        like = [Geometry(kernel.shape[:-2], **options)]
        (geometry,) = decoder_geometry(y.shape[1:-1], shape, like)
        transposed = transposed_convolution(
            y, kernel, groups=groups, output_padding=geometry.output_padding, **options
        )
        stretched = convolution(
            zero_inserted(y, geometry),
            flipped(kernel, groups=groups),
            dilation=options["dilation"],
            groups=groups,
        )
        matrix = convolution_matrix(kernel, shape=shape, groups=groups, **options)
        return y, matrix, transposed, pull(y)[0], stretched

    y, matrix, transposed, gradient, stretched = map(np.asarray, all_four(x, kernel))
    np.testing.assert_array_equal(y.reshape(2, -1), x.reshape(2, -1) @ matrix)
    np.testing.assert_array_equal(transposed.reshape(2, -1), y.reshape(2, -1) @ matrix.T)
    np.testing.assert_array_equal(transposed, gradient)
    np.testing.assert_array_equal(transposed, stretched)


def test_convolutions_are_the_same_under_jit_and_vmap():
    x = jnp.round(3 * jax.random.normal(jax.random.key(0), (3, 2, 5, 4, 2)))
    kernels = jnp.round(3 * jax.random.normal(jax.random.key(1), (3, 3, 2, 2, 4)))

    def there_and_back(x, kernel):
        y = convolution(x, kernel, strides=(2, 1), padding="same")
        return transposed_convolution(y, kernel, strides=(2, 1), padding="same")

    mapped = jax.jit(jax.vmap(there_and_back))(x, kernels)
    one_by_one = [there_and_back(*pair) for pair in zip(x, kernels, strict=True)]
    np.testing.assert_array_equal(mapped, jnp.stack(one_by_one))


def test_a_float32_kernel_and_a_float64_input_promote_to_float64(x64):
    x, kernel = jnp.ones((1, 4, 1)), jnp.ones((3, 1, 2), jnp.float32)
    assert convolution(x, kernel).dtype == jnp.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, w: convolution(x, w), "expects 3 channels, got 6"),
        (lambda x, w: convolution(x, w, groups=3), "groups must divide the kernel's 4 outputs"),
        (lambda x, w: convolution(x, w, groups=0), "groups must divide"),
        (lambda x, w: convolution(x[..., :3], w[0]), "kernel must have one entry for each of 2"),
        (lambda x, w: convolution(x[..., :3], w, strides=(9,)), "strides must have one entry"),
        (lambda x, w: convolution(x[..., :3], w, dilation=(3, 3)), "does not fit"),
    ],
)
def test_an_invalid_convolution_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones((1, 5, 5, 6)), jnp.ones((3, 3, 3, 4)))


def test_a_transpose_with_the_wrong_number_of_channels_is_refused():
    with pytest.raises((ValueError, TypeCheckError)):
        transposed_convolution(jnp.ones((1, 5, 6)), jnp.ones((3, 3, 4)))
