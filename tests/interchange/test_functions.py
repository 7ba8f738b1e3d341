"""Exported functions take any batch, also trees, and come back as they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax.interchange import deserialise, serialise


@pytest.mark.parametrize("batch", [1, 5])
def test_any_batch_and_a_tree_of_arrays(tmp_path, batch):
    model = aejax.dense((6, 2))
    params = model.init(jax.random.key(0))

    def encode(x):
        return {"mean": model.encode(params, x), "first": x[:, 0]}

    path = tmp_path / "encode.stablehlo"
    path.write_bytes(serialise(encode, jnp.zeros((3, 6))))
    x = jax.random.normal(jax.random.key(1), (batch, 6))
    found = deserialise(path)(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, encode(x))
    code = jax.eval_shape(encode, x)
    path.write_bytes(serialise(lambda code: model.decode(params, code["mean"]), code))
    np.testing.assert_allclose(
        deserialise(path)(found), model.decode(params, found["mean"]), rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"shape|structure"):
        deserialise(path)(x)


def test_what_is_no_batch_or_no_function_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"every array must be \[batch, …\]"):
        serialise(jnp.sin, jax.ShapeDtypeStruct((), jnp.float32))
    path = tmp_path / "notes.stablehlo"
    with pytest.raises(FileNotFoundError):
        deserialise(path)
    for data in (b"", b"notes, not a function at all"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"notes\.stablehlo is no exported function"):
            deserialise(path)
