"""Convolutions by im2col and col2im against XLA's: values and every derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.layers import convolution_patches
from aejax.layers.convolution import convolution, transposed_convolution

GEOMETRIES = {
    "blocks of a stride": ((9, 8), (4, 4), {"strides": (2, 2), "padding": ((1, 1), (1, 1))}),
    "unequal axes": ((7, 10), (3, 2), {"strides": (3, 1), "padding": ((2, 0), (0, 1))}),
    "a stride that does not tile": ((8, 9), (3, 3), {"strides": (2, 2), "padding": "same"}),
    "one axis tiles": ((8, 9), (4, 3), {"strides": (2, 2)}),
    "dilated": ((9, 9), (3, 2), {"dilation": (2, 3), "padding": ((1, 2), (0, 0))}),
    "volume": ((4, 5, 4), (2, 2, 2), {"strides": (2, 1, 2)}),
}


def arrays(name):
    """Small x, kernel and y of a geometry, and its options."""
    shape, window, options = GEOMETRIES[name]
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, *shape, 3))
    kernel = jax.random.normal(keys[1], (*window, 3, 4))
    y = jax.random.normal(keys[2], convolution(x, kernel, **options).shape)
    return x, kernel, y, options


def by_both(monkeypatch, function):
    """Results of a function with im2col, and with XLA's convolutions."""
    own = jax.jit(function)()
    monkeypatch.setattr(convolution_patches, "MAX_PATCH_BYTES", 0)
    return own, jax.jit(lambda: function())()


def assert_same(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), found, expected
    )


@pytest.mark.parametrize("name", GEOMETRIES)
def test_values_and_derivatives_match_xla(name, monkeypatch, x64):
    x, kernel, y, options = arrays(name)

    def convolved(x, kernel):
        return convolution(x, kernel, **options)

    def restored(y, kernel):
        return transposed_convolution(y, kernel, **options)

    def everything():
        value, pull = jax.vjp(convolved, x, kernel)
        back, pull_back = jax.vjp(restored, y, kernel)
        tangents = [
            jax.jvp(function, (rows, kernel), (2 * rows, kernel**2))[1]
            for function, rows in ((convolved, x), (restored, y))
        ]
        return value, pull(y), back, pull_back(back + 1), tangents

    assert_same(*by_both(monkeypatch, everything))


def test_xla_convolutions_are_used_only_if_patches_do_not_fit(monkeypatch):
    x, kernel, y, options = arrays("blocks of a stride")

    def both(x, y, kernel):
        return jnp.sum(convolution(x, kernel, **options) ** 2) + jnp.sum(
            transposed_convolution(y, kernel, **options) ** 2
        )

    def convolutions(platform):
        gradient = jax.jit(lambda *arrays: jax.grad(both, argnums=(0, 1, 2))(*arrays))
        program = gradient.trace(x, y, kernel).lower(lowering_platforms=(platform,)).as_text()
        return program.count("stablehlo.convolution"), program.count("stablehlo.dot_general")

    assert convolutions("cpu") == (0, 6)
    for platform in ("cuda", "tpu"):  # whatever the platform on which the program is traced
        assert convolutions(platform) == (6, 0)
    jax.clear_caches()
    monkeypatch.setattr(convolution_patches, "MAX_PATCH_BYTES", 0)
    assert convolutions("cpu") == (6, 0)


def test_patches_fit_up_to_a_size(monkeypatch):
    kernel = jnp.zeros((3, 3, 2, 5), jnp.float32)  # a patch has 18 elements of four bytes
    monkeypatch.setattr(convolution_patches, "MAX_PATCH_BYTES", 7 * 20 * 18 * 4)
    assert convolution_patches.patches_fit(7, kernel, (4, 5))
    assert not convolution_patches.patches_fit(8, kernel, (4, 5))


def test_vmap_over_kernels_equals_a_loop():
    x, kernel, _, options = arrays("one axis tiles")
    kernels = jnp.stack([kernel, 2 * kernel])
    found = jax.vmap(lambda kernel: convolution(x, kernel, **options))(kernels)
    for each, alone in zip(found, kernels, strict=True):
        np.testing.assert_allclose(each, convolution(x, alone, **options), rtol=1e-5, atol=1e-5)


def test_bfloat16_accumulates_in_float32():
    x, kernel, _, options = (jnp.asarray(part, jnp.bfloat16) if i < 3 else part
                             for i, part in enumerate(arrays("blocks of a stride")))  # fmt: skip
    found = convolution(x, kernel, **options)
    exact = convolution(x.astype(jnp.float32), kernel.astype(jnp.float32), **options)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found, exact.astype(jnp.bfloat16))
