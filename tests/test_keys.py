"""Seeds, legacy keys and typed keys are converted to a typed key; anything else is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.keys import typed_key


@pytest.mark.parametrize(
    "key", [7, np.int64(7), np.uint32(7), jnp.asarray(7), jax.random.PRNGKey(7), jax.random.key(7)]
)
def test_seeds_and_legacy_keys_become_the_typed_key_of_that_seed(key):
    found = typed_key(key)
    assert jnp.issubdtype(found.dtype, jax.dtypes.prng_key)
    np.testing.assert_array_equal(jax.random.bits(found, 3), jax.random.bits(jax.random.key(7), 3))


def test_a_traced_key_passes():
    found = jax.vmap(lambda key: jax.random.bits(typed_key(key)))(
        jax.random.split(jax.random.key(0))
    )
    assert found.shape == (2,)


@pytest.mark.parametrize("key", [-1, 2**32, 1.0, True, np.True_, "0", None, np.zeros(3, np.uint32)])
def test_other_values_are_refused(key):
    with pytest.raises(ValueError, match=r"key must be jax.random.key\(seed\) or a seed in"):
        typed_key(key)


def test_arrays_of_several_keys_are_refused():
    with pytest.raises(ValueError, match=r"key must be a single key, got keys of shape \[3\]"):
        typed_key(jax.random.split(jax.random.key(0), 3))
