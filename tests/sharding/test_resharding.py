"""Resharding: the identity, whose cotangent has the stored sharding."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from aejax import sharding
from aejax.sharding.resharding import reshard

X = jnp.arange(12.0).reshape(4, 3)


@pytest.fixture
def shardings():
    mesh = sharding.make_mesh()
    return {"used": NamedSharding(mesh, P()), "stored": NamedSharding(mesh, P("data", None))}


def test_values_and_derivatives_are_those_of_the_identity(shardings):
    value, tangent = jax.jvp(lambda x: reshard(x, **shardings), (X,), (2 * X,))
    np.testing.assert_array_equal(value, X)
    np.testing.assert_array_equal(tangent, 2 * X)
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(reshard(x, **shardings) * X))(X), X)
    np.testing.assert_array_equal(
        jax.vmap(lambda x: reshard(x, **shardings), in_axes=2)(jnp.stack([X, -X], axis=2)),
        jnp.stack([X, -X]),
    )


def constraints(function) -> list[str]:
    """Shardings to which a lowered function constrains arrays, in order."""
    text = jax.jit(function).lower(X).as_text()
    return re.findall(r"sdy.sharding_constraint [^<]*<@mesh, (\[.*?\])>", text)


def test_the_cotangent_has_the_stored_sharding(shardings):
    def loss(x):
        return jnp.sum(jnp.square(reshard(x, **shardings)))

    whole, divided = "[{}, {}]", '[{"data"}, {}]'
    assert constraints(loss) == [whole]
    assert constraints(jax.grad(loss)) == [whole, divided]
