"""BatchTopK against a sort of the batch; the number of units as a traced value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

import aejax

Z = np.random.default_rng(0).normal(size=(6, 9))


def test_the_largest_of_the_batch_stay(x64):
    kth = np.sort(Z, axis=None)[-6 * 2]
    code = aejax.batch_top_k(k=2).apply({}, jnp.asarray(Z))
    np.testing.assert_array_equal(code, np.where(kth <= Z, Z, 0))
    assert np.ptp((np.asarray(code) != 0).sum(axis=1)) > 0  # examples differ
    threshold = {"threshold": jnp.full(9, 0.7)}
    in_use = aejax.batch_top_k(k=2).apply(threshold, jnp.asarray(Z))
    np.testing.assert_array_equal(in_use, np.where(Z > 0.7, Z, 0))


def largest_of_batch(z, wanted):
    """Positive parts of the largest by a stable sort, so that the first of equal values stay."""
    order = np.argsort(-z, axis=None, kind="stable")[:wanted]
    code = np.zeros(z.size, z.dtype)
    code[order] = np.maximum(z.reshape(-1)[order], 0)
    return code.reshape(z.shape)


def test_the_search_agrees_with_a_stable_sort():
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(96, 20)).astype(np.float32)
    spread = normal * np.exp(4 * rng.normal(size=(96, 1))).astype(np.float32)
    batches = (
        normal,
        spread,
        np.round(normal, 1),
        normal - 2,
        np.full_like(normal, 3),
        -(normal**2),
    )
    apply = jax.jit(jax.vmap(lambda z, k: aejax.batch_top_k(k=k, at_most=20).apply({}, z)))
    cases = [(z, k) for z in batches for k in (1, 5, 20)]
    found = apply(jnp.array([z for z, _ in cases]), jnp.array([k for _, k in cases]))
    for code, (z, k) in zip(found, cases, strict=True):
        np.testing.assert_array_equal(code, largest_of_batch(z, 96 * k))
    narrow = jnp.asarray(np.round(normal[:40], 1), jnp.bfloat16)
    np.testing.assert_array_equal(
        aejax.batch_top_k(k=3).apply({}, narrow), largest_of_batch(np.asarray(narrow), 120)
    )


def test_nan_of_any_sign_is_not_hidden():
    z = jnp.asarray(Z).at[0, 0].set(jnp.nan).at[1, 1].set(-jnp.nan)
    assert np.isnan(aejax.batch_top_k(k=1).apply({}, z)).sum() == 2
    assert np.isnan(aejax.batch_top_k(k=1).apply({"threshold": jnp.ones(9)}, z)).sum() == 2


@pytest.mark.parametrize(
    "make", [aejax.batch_top_k, pytest.param(aejax.top_k_relu, marks=pytest.mark.slow)]
)
def test_a_traced_k_selects_as_the_same_integer(make):
    def apply(activation):
        apply = getattr(activation, "apply", lambda _, z: activation(z))
        return apply({}, jnp.asarray(Z, jnp.float32))

    traced = jax.jit(jax.vmap(lambda k: apply(make(k=k, at_most=5))))(jnp.array([1, 3, 5]))
    for found, k in zip(traced, (1, 3, 5), strict=True):
        np.testing.assert_array_equal(found, apply(make(k=k)))


def test_numbers_of_units_outside_the_range_are_refused():
    refused = (ValueError, TypeCheckError)
    with pytest.raises(refused, match="k must lie in"):
        aejax.batch_top_k(k=jnp.int32(6), at_most=5)
    with pytest.raises(refused, match="at least 1"):
        aejax.batch_top_k(k=0)
    with pytest.raises(refused, match="cannot select"):
        aejax.batch_top_k(k=10).apply({}, jnp.asarray(Z))
