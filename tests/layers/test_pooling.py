"""Pooling with indices against PyTorch: values, indices and gradients."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from aejax.layers.pooling import max_pool, max_unpool


def _case(seed):
    """A random pooling; odd seeds give inputs with many ties."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 4))
    window, strides, dilation = (rng.integers(1, high, axes) for high in (4, 4, 3))
    padding = [int(rng.integers(0, k // 2 + 1)) for k in window]
    shape = dilation * (window - 1) + 1 + rng.integers(0, 4, axes)
    full = (2, *shape, 2)
    x = rng.integers(0, 3, full) if seed % 2 else rng.normal(size=full)
    options = {"window": window, "strides": strides, "dilation": dilation}
    options = {name: tuple(map(int, value)) for name, value in options.items()}
    return axes, x.astype(float), options, padding


def _torch(array, axes):
    return torch.tensor(np.moveaxis(np.asarray(array), -1, 1).copy()).requires_grad_(axes > 0)


def _last(tensor):
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def _against_pytorch(seed, dtype, tolerance):
    axes, x, options, padding = _case(seed)
    x = x.astype(dtype)
    reference = _torch(x, axes)
    pool = getattr(torch.nn.functional, f"max_pool{axes}d")
    expected, at = pool(
        reference, options["window"], options["strides"], padding, options["dilation"],
        return_indices=True,
    )  # fmt: skip
    pairs = tuple((p, p) for p in padding)

    def pooled(x):
        return max_pool(x, padding=pairs, **options)

    values, indices = jax.jit(pooled)(x)
    assert values.dtype == dtype
    np.testing.assert_array_equal(indices, _last(at))
    np.testing.assert_array_equal(values, _last(expected))
    weight = np.random.default_rng(seed).normal(size=values.shape).astype(dtype)
    none = np.zeros(indices.shape, jax.dtypes.float0)
    expected.backward(_torch(weight, 0))
    gradient = jax.jit(lambda x, weight: jax.vjp(pooled, x)[1]((weight, none))[0])(x, weight)
    np.testing.assert_allclose(gradient, _last(reference.grad), atol=tolerance)
    _unpool_against_pytorch(weight, indices, x.shape[1:-1], tolerance)


def _unpool_against_pytorch(values, indices, shape, tolerance):
    axes = len(shape)
    reference = _torch(values, axes)
    unpool = getattr(torch.nn.functional, f"max_unpool{axes}d")
    at = torch.tensor(np.moveaxis(np.asarray(indices), -1, 1).astype(np.int64))
    window = tuple(n - m + 1 for n, m in zip(shape, indices.shape[1:-1], strict=True))
    expected = unpool(reference, at, window, (1,) * axes, output_size=tuple(shape))

    @jax.jit
    def unpooled_with_gradient(values):
        ours, back = jax.vjp(lambda v: max_unpool(v, indices, shape=shape), values)
        return ours, back(ours)[0]

    ours, gradient = unpooled_with_gradient(values)
    np.testing.assert_array_equal(ours, _last(expected))
    flat = np.asarray(indices).reshape(len(values), -1, values.shape[-1])
    shared = any(len(set(one)) < len(one) for plane in flat for one in plane.T)
    if not shared:
        expected.backward(expected.detach())
        np.testing.assert_allclose(gradient, _last(reference.grad), atol=tolerance)


@pytest.mark.parametrize("seed", range(8))
def test_pooling_and_unpooling_match_pytorch(seed):
    _against_pytorch(seed, np.float32, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_random_poolings_match_pytorch(seed, x64):
    _against_pytorch(seed, np.float32, 1e-5)
    _against_pytorch(seed, np.float64, 1e-10)


def test_the_last_value_of_a_shared_index_has_the_gradient():
    def unpooled(values):
        return max_unpool(values, jnp.array([[[1], [1], [2]]]), shape=(4,))

    ours, back = jax.vjp(unpooled, jnp.array([[[5.0], [3.0], [2.0]]]))
    np.testing.assert_array_equal(ours.ravel(), [0, 3, 2, 0])
    np.testing.assert_array_equal(back(jnp.ones_like(ours))[0].ravel(), [0, 1, 1])


def test_a_window_of_minus_infinity_or_nan_has_an_index_inside_the_input():
    x = jnp.array([[[-jnp.inf], [-jnp.inf], [jnp.nan], [1.0]]])
    values, indices = max_pool(x, window=(2,), padding=((1, 1),))
    np.testing.assert_array_equal(values.ravel(), [-np.inf, np.nan, 1])
    np.testing.assert_array_equal(indices.ravel(), [0, 2, 3])


def test_pooling_is_the_same_under_jit_and_vmap():
    x = jax.random.normal(jax.random.key(0), (3, 2, 5, 4, 2))

    def there_and_back(x):
        values, indices = max_pool(x, window=(2, 2), padding=((0, 1), (0, 0)))
        return max_unpool(values, indices, shape=(5, 4))

    mapped = jax.jit(jax.vmap(there_and_back))(x)
    np.testing.assert_array_equal(mapped, jnp.stack([there_and_back(one) for one in x]))


def test_an_invalid_pooling_is_refused():
    x = jnp.zeros((1, 3, 1))
    with pytest.raises(ValueError, match="every window must overlap"):
        max_pool(x, window=(2,), padding=((3, 0),))
    with pytest.raises(ValueError, match="strides must have one entry"):
        max_pool(x, window=(2,), strides=(0,))


@pytest.mark.parametrize(
    ("values", "indices", "shape", "message"),
    [
        ((1, 3, 1), jnp.full((1, 3, 1), 7), (5,), r"indices must lie in \[0, 4\], got \[7 7\]"),
        ((1, 3, 1), jnp.full((1, 3, 1), -1), (5,), r"indices must lie in \[0, 4\]"),
        (
            (1, 3, 1),
            jnp.zeros((1, 2, 1), int),
            (5,),
            r"shape.*got \[1, 3, 1\] and \[1, 2, 1\]",
        ),
        ((1, 3, 2), jnp.zeros((1, 3, 1), int), (5,), "values and indices must have the same shape"),
        ((2, 3, 1), jnp.zeros((1, 3, 1), int), (5,), "values and indices must have the same shape"),
        (
            (1, 3, 1),
            jnp.zeros((1, 3, 1), int),
            (5, 5),
            r"an axis for each of the result's \[5, 5\]",
        ),
        ((1, 3, 1), jnp.zeros((1, 3, 1)), (5,), "indices must be integers.*got float32"),
    ],
)
def test_an_invalid_unpooling_is_refused(values, indices, shape, message):
    with pytest.raises((ValueError, TypeCheckError), match=f"{message}|Type-check"):
        max_unpool(jnp.zeros(values), indices, shape=shape)
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(max_unpool)(jnp.zeros(values), indices, shape=shape)
