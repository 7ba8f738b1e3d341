"""Resharding: the identity, whose cotangent has the stored sharding."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from aejax import sharding
from aejax.planning.targets import find_target
from aejax.planning.topology_devices import target_devices
from aejax.sharding.collectives import collectives
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


@pytest.mark.parametrize(
    ("devices", "axis", "divisions", "has_layout"),
    [
        (16, 0, ['[{"data_outer"}, {}]', '[{"data"}, {}]'], False),
        (16, 1, ['[{}, {"data_outer"}]', '[{}, {"data"}]'], True),
        (4, 1, ['[{}, {"data"}]'], True),
        (2, 1, ['[{}, {"data"}]'], False),  # two parts fill whole tiles
        (7, 0, ['[{"data"}, {}]'], False),
    ],
)
def test_on_tpus_the_cotangent_is_divided_in_stages_into_parts_with_a_layout(
    devices, axis, divisions, has_layout
):
    mesh = jax.sharding.AbstractMesh((devices, 1), ("data", "model"))
    used, stored = NamedSharding(mesh, P()), NamedSharding(mesh, P(*[None] * axis, "data"))
    x = jax.ShapeDtypeStruct((128 * 7, 256), "float32", sharding=stored)

    def loss(x):
        return jnp.sum(jnp.square(reshard(x, used=used, stored=stored)))

    traced = jax.jit(jax.grad(loss)).trace(x)
    for platform, expected in {"cpu": divisions[-1:], "tpu": divisions}.items():
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        found = re.findall(r"sdy.sharding_constraint [^<]*<@\w+, (\[.*?\])>", text)
        assert found == ["[{}, {}]", *expected]
        assert ("LayoutConstraint" in text) == (has_layout and platform == "tpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "inputs", "units", "axis"),
    [
        ("v5e:2x2", 500, 1000, 0),
        ("v5e:2x2", 500, 1000, 1),
        ("v5e:2x2", 250, 500, 1),
        ("v5e:2x2", 1000, 784, 1),
        ("v5e:2x4", 1000, 784, 1),
        ("v5e:4x4", 1000, 784, 1),
        ("v5e:4x4", 2048, 4096, 0),
        ("v5e:16x16", 2048, 4096, 0),
    ],
)
def test_xla_sums_gradients_into_shards_on_tpus(target, inputs, units, axis):
    """XLA's compiler sums them whole without the stages and the layout."""
    pytest.importorskip("libtpu", reason="needs the compiler: pip install 'aejax[plan-tpu]'")
    mesh = sharding.make_mesh(devices=target_devices(find_target(target)))
    stored = NamedSharding(mesh, P(*[None] * axis, "data"))
    used = NamedSharding(mesh, P())

    def loss(kernel, x):
        return jnp.sum(jnp.square(x @ reshard(kernel, used=used, stored=stored)))

    kernel = jax.ShapeDtypeStruct((inputs, units), "float32", sharding=stored)
    x = jax.ShapeDtypeStruct(
        (64 * mesh.size, inputs), "float32", sharding=NamedSharding(mesh, P("data"))
    )
    found = collectives(jax.jit(jax.grad(loss)).lower(kernel, x).compile())
    size = 4 * inputs * units
    assert "all-reduce" not in found
    assert sum(found[kind].sent for kind in found if kind != "all-gather") <= 1.1 * size
