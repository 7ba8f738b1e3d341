"""Permutations are identical to those of JAX."""

import re

import jax
import numpy as np
import pytest

from aejax.training.shuffling import _stable_order, permutation

LENGTHS = (1, 2, 3, 100, 1625, 1626, 60000, 2**16, 2**16 + 1)


@pytest.mark.parametrize("length", LENGTHS)
def test_permutation_equals_jaxs(length):
    key = jax.random.key(length)
    found, expected = permutation(key, length), jax.random.permutation(key, length)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_permutation_equals_jaxs_in_x64_mode_and_vmapped(x64):
    keys = jax.random.split(jax.random.key(0), 5)
    found = jax.jit(jax.vmap(lambda key: permutation(key, 3000)))(keys)
    expected = jax.vmap(lambda key: jax.random.permutation(key, 3000))(keys)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(("platform", "operands"), [("cpu", 1), ("cuda", 2), ("tpu", 2)])
def test_packed_keys_are_sorted_only_on_a_cpu(platform, operands):
    traced = jax.jit(permutation, static_argnums=1).trace(jax.random.key(0), 3000)
    program = traced.lower(lowering_platforms=(platform,)).as_text()
    sorts = re.findall(r'"stablehlo.sort"\(([^)]*)\)', program)
    assert sorts
    assert {len(names.split(",")) for names in sorts} == {operands}


@pytest.mark.parametrize("bits", [1, 20])
def test_the_argsort_is_stable(bits):
    keys = jax.random.bits(jax.random.key(0), (5000,), "uint32") >> (32 - bits) << 8
    np.testing.assert_array_equal(_stable_order(keys), np.argsort(keys, kind="stable"))
