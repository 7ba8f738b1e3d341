"""Low-precision matrix products against NumPy in float64, under every JAX transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.layers.low_precision import matmul, transposed

GENERATOR = np.random.default_rng(0)
LEFT, RIGHT, OTHER = (GENERATOR.normal(size=size) for size in ((40, 300), (300, 20), (40, 20)))
PLATFORMS = ("cpu", "cuda", "tpu")
SMALL = (jnp.bfloat16, jnp.float16)


def rounded(x, dtype):
    """x rounded to the dtype, as float64."""
    return np.asarray(jnp.asarray(x, dtype), np.float64)


def operands(dtype):
    return jnp.asarray(LEFT, dtype), jnp.asarray(RIGHT, dtype)


@pytest.mark.parametrize("dtype", SMALL)
def test_products_accumulate_in_float32(dtype):
    exact = rounded(LEFT, dtype) @ rounded(RIGHT, dtype)
    found = matmul(*operands(dtype))
    assert found.dtype == dtype
    bound = float(jnp.finfo(dtype).eps) / 2 * np.abs(exact) + 1e-4
    assert (np.abs(np.asarray(found, np.float64) - exact) <= bound).all()


@pytest.mark.parametrize("dtype", SMALL)
def test_both_transposes_have_the_same_dtype(dtype):
    found, transpose = jax.vjp(matmul, *operands(dtype))
    cotangent = jnp.asarray(OTHER, dtype)
    to_left, to_right = transpose(cotangent)
    assert to_left.dtype == to_right.dtype == found.dtype
    wide = rounded(OTHER, dtype)
    for own, exact in (
        (to_left, wide @ rounded(RIGHT, dtype).T),
        (to_right, rounded(LEFT, dtype).T @ wide),
    ):
        np.testing.assert_allclose(np.asarray(own, np.float64), exact, rtol=0.01, atol=1e-3)


def loss(left, right):
    return jnp.sum(jnp.square(matmul(left, right).astype(jnp.float32)))


def gradient_program(platform):
    traced = jax.jit(jax.grad(loss, argnums=(0, 1))).trace(*operands(jnp.bfloat16))
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_product_of_the_gradient_accumulates_bfloat16_in_float32(platform):
    lowered = gradient_program(platform)
    products = [line for line in lowered.splitlines() if "dot_general" in line]
    assert len(products) == 3
    for line in products:
        kinds = line.split(":")[-1]
        assert kinds.count("bf16>") == 2, line
        assert kinds.endswith("f32>"), line


def test_only_a_cpu_copies_transposed_operands():
    copies = {platform: gradient_program(platform).count("barrier") for platform in PLATFORMS}
    assert copies == {"cpu": 2, "cuda": 0, "tpu": 0}


def test_transposed_matrices_and_their_derivatives():
    stack = jnp.asarray(GENERATOR.normal(size=(3, 4, 5)))
    np.testing.assert_array_equal(transposed(stack), np.swapaxes(stack, 1, 2))
    np.testing.assert_array_equal(
        jax.vmap(transposed, in_axes=1)(stack), np.transpose(stack, (1, 2, 0))
    )
    value, tangent = jax.jvp(transposed, (stack,), (2 * stack,))
    np.testing.assert_array_equal(tangent, 2 * value)
    (cotangent,) = jax.vjp(transposed, stack)[1](value)
    np.testing.assert_array_equal(cotangent, stack)


def test_forward_and_reverse_mode_agree():
    left, right = operands(jnp.bfloat16)
    _, tangent = jax.jvp(matmul, (left, right), (left, right))
    doubled = np.asarray(2 * matmul(left, right), np.float64)
    np.testing.assert_allclose(np.asarray(tangent, np.float64), doubled, rtol=0.02, atol=0.02)
    jacobian = jax.jacfwd(lambda x: matmul(x[None], right)[0])(left[0])
    np.testing.assert_array_equal(np.asarray(jacobian), np.asarray(right).T)


@pytest.mark.parametrize("axes", [(0, None), (None, 1), (2, 0)])
def test_vmap_equals_a_loop(axes):
    stacked = [
        operand if axis is None else jnp.stack([operand, 2 * operand, -operand], axis=axis)
        for operand, axis in zip(operands(jnp.bfloat16), axes, strict=True)
    ]
    found = jax.vmap(matmul, in_axes=axes)(*stacked)
    for i, each in enumerate(found):
        alone = matmul(
            *(
                operand if axis is None else jnp.take(operand, i, axis=axis)
                for operand, axis in zip(stacked, axes, strict=True)
            )
        )
        np.testing.assert_array_equal(np.asarray(each), np.asarray(alone))


def test_leading_axes_are_preserved():
    left, right = operands(jnp.bfloat16)
    boxed = matmul(left.reshape(4, 10, 300), right)
    assert boxed.shape == (4, 10, 20)
    np.testing.assert_array_equal(boxed.reshape(40, 20), matmul(left, right))
    assert matmul(left[0], right).shape == (20,)


def test_float32_uses_the_ordinary_product():
    left, right = operands(jnp.float32)
    np.testing.assert_array_equal(matmul(left, right), left @ right)
