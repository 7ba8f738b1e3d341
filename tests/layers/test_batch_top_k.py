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
