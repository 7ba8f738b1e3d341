"""Finite scalar quantisation and signs, compared with their definitions and another library."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.layers import scalar_quantisation
from aejax.layers.codebooks import straight_through_code

LEVELS = [(8, 5, 5, 5), (3,), (4, 3), (7, 6, 5)]


@pytest.mark.parametrize("levels", LEVELS)
def test_the_number_of_values_is_exactly_the_product_of_the_levels(levels):
    grid = np.linspace(-9, 9, 400, dtype="float32")
    values = []
    for channel, size in enumerate(levels):
        z = np.zeros((len(grid), len(levels)), "float32")
        z[:, channel] = grid
        code = scalar_quantisation.finite_scalar(jnp.asarray(z), levels=levels)
        found = np.unique(np.asarray(code.quantised)[:, channel])
        half = size // 2
        np.testing.assert_allclose(found * half, np.arange(size) - half, atol=1e-6)
        values.append(found)
    every = np.array(list(product(*values)))
    indices = jnp.arange(np.prod(levels))
    decoded = scalar_quantisation.finite_scalar_values(indices, levels=levels)
    np.testing.assert_allclose(np.unique(decoded, axis=0), np.unique(every, axis=0), atol=1e-6)


@pytest.mark.parametrize("levels", LEVELS)
def test_indices_are_numbers_with_the_digits_of_the_channels(levels):
    z = np.random.default_rng(1).normal(scale=2, size=(200, len(levels))).astype("float32")
    code = scalar_quantisation.finite_scalar(jnp.asarray(z), levels=levels)
    half = np.array(levels) // 2
    digits = np.rint(np.asarray(code.quantised) * half).astype(int) + half
    expected = np.ravel_multi_index(digits.T[::-1], levels[::-1])
    np.testing.assert_array_equal(code.indices, expected)
    values = scalar_quantisation.finite_scalar_values(code.indices, levels=levels)
    np.testing.assert_array_equal(values, code.quantised)


def test_the_bound_is_the_published_formula_with_the_gradient_of_tanh(x64):
    z, levels = np.random.default_rng(2).normal(size=(30, 2)), (8, 5)
    half_range = np.array([3.5, 2]) * (1 - 1e-3)
    offset = np.array([0.5, 0])
    bounded = half_range * np.tanh(z + np.arctanh(offset / half_range)) - offset
    code = scalar_quantisation.finite_scalar(jnp.asarray(z), levels=levels)
    np.testing.assert_allclose(code.continuous, bounded / [4, 2], rtol=1e-12)
    np.testing.assert_allclose(code.quantised, np.rint(bounded) / [4, 2], rtol=1e-12)

    def total(z):
        return jnp.sum(straight_through_code(scalar_quantisation.finite_scalar(z, levels=levels)))

    slope = 1 - np.tanh(z + np.arctanh(offset / half_range)) ** 2
    np.testing.assert_allclose(
        jax.grad(total)(jnp.asarray(z)), half_range * slope / [4, 2], rtol=1e-12
    )
    zero = scalar_quantisation.finite_scalar(jnp.zeros((1, 2)), levels=levels)
    np.testing.assert_allclose(zero.continuous, 0, atol=1e-12)


def test_codes_are_those_of_another_library():
    other = pytest.importorskip("vector_quantize_pytorch", reason="not installed")
    torch = pytest.importorskip("torch")
    levels = (8, 5, 5, 5)
    z = np.random.default_rng(3).normal(scale=1.5, size=(500, 4)).astype("float32")
    code = scalar_quantisation.finite_scalar(jnp.asarray(z), levels=levels)
    quantised, indices = other.FSQ(list(levels))(torch.tensor(z)[None])
    # Its bound is wider by the factor (1 + ε) / (1 − ε), so values next to a rounding edge differ.
    bounded = np.asarray(code.continuous) * (np.array(levels) // 2)
    edge = (np.abs(bounded - np.floor(bounded) - 0.5) < 0.01).any(axis=1)
    assert edge.mean() < 0.15
    np.testing.assert_array_equal(code.indices[~edge], indices[0].numpy()[~edge])
    np.testing.assert_allclose(
        code.quantised[~edge], quantised[0].detach().numpy()[~edge], atol=1e-6
    )


def test_signs_have_the_index_of_their_binary_digits():
    z = np.random.default_rng(4).normal(size=(50, 2, 6)).astype("float32")
    z[0, 0, 0] = 0
    code = scalar_quantisation.signs(jnp.asarray(z))
    np.testing.assert_array_equal(code.quantised, np.where(z > 0, 1, -1))
    expected = np.packbits(z > 0, axis=-1, bitorder="little")[..., 0]
    np.testing.assert_array_equal(code.indices, expected)
    np.testing.assert_array_equal(
        scalar_quantisation.sign_values(code.indices, bits=6), code.quantised
    )
