"""Exported functions accept any batch size and trees, and give unchanged results."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax.interchange import deserialise, serialise
from aejax.models import mixed_precision
from aejax.posteriors import diagonal_gaussian, full_covariance_gaussian, von_mises_fisher
from tests.contract.rows import DENSE, ROWS, SEGNET, random_x

MODELS = {row.name: row for row in ROWS if row.signatures[0][1] == "key"}


@pytest.mark.parametrize("batch", [1, 5])
def test_functions_of_any_batch_size_and_of_trees_are_exported(tmp_path, batch):
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


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_exported_for_any_batch(tmp_path, name):
    _, encode, decode = (function for function, _ in MODELS[name].signatures)
    params, x = jax.jit(MODELS[name].draw)(jax.random.key(1))
    assert_exported(tmp_path, lambda x: [encode(params, x), decode(params, encode(params, x))], x)


def test_a_decoder_of_a_tree_is_exported(tmp_path):
    params = SEGNET.init(jax.random.key(0))
    code = SEGNET.encode(params, random_x(jax.random.key(1), (3, 5, 1)))
    assert_exported(tmp_path, lambda code: SEGNET.decode(params, code), code)


@pytest.mark.parametrize("make", [diagonal_gaussian, full_covariance_gaussian, von_mises_fisher])
def test_codes_of_posteriors_are_exported(tmp_path, make):
    posterior = make()
    output = random_x(jax.random.key(0), (posterior.outputs(3),))
    assert_exported(tmp_path, posterior.code, output)


def test_a_low_precision_model_is_exported(tmp_path):
    model = mixed_precision(DENSE["deep"])
    params, x = model.init(jax.random.key(0)), random_x(jax.random.key(1))
    assert_exported(tmp_path, lambda x: model.encode(params, x), x)


def assert_exported(folder, function, like):
    """Check that the function gives the same results after export, for other batch sizes."""
    path = folder / "function.stablehlo"
    path.write_bytes(serialise(function, like, platforms=["cpu"]))
    restored, function = deserialise(path), jax.jit(function)
    for size in (1, 11):
        rows = jax.tree.map(lambda leaf, n=size: jnp.concatenate([leaf, leaf])[:n], like)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
            restored(rows),
            function(rows),
        )


def test_inputs_without_batch_axis_and_invalid_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"every array must be \[batch, …\]"):
        serialise(jnp.sin, jax.ShapeDtypeStruct((), jnp.float32))
    path = tmp_path / "notes.stablehlo"
    with pytest.raises(FileNotFoundError):
        deserialise(path)
    for data in (b"", b"notes, not a function at all"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"notes\.stablehlo is not an exported function"):
            deserialise(path)


def test_64_bit_functions_are_refused_while_x64_is_disabled(tmp_path):
    path, x = str(tmp_path / "third.stablehlo"), np.ones((2, 3))
    with jax.enable_x64(True):
        (tmp_path / "third.stablehlo").write_bytes(serialise(lambda x: x / 3, x))
        found = deserialise(path)(x)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, x / 3)
    for call in (deserialise(path), jax.jit(deserialise(path))):
        with pytest.raises(ValueError, match=r"third\.stablehlo is float64.*jax_enable_x64"):
            call(x)
    for dtype in ("float64", "int64", "uint64", "complex128"):
        with pytest.raises(ValueError, match=f"input is {dtype}.*jax_enable_x64"):
            serialise(lambda x: x, jax.ShapeDtypeStruct((1, 3), dtype))


@pytest.mark.parametrize("rows", [len, lambda x: int(x.shape[0]), lambda x: len(range(x.shape[0]))])
def test_a_batch_size_that_is_used_as_an_integer_is_refused_with_the_remedy(rows):
    with pytest.raises(ValueError, match=r"^the function uses .*as in x\.reshape\(-1, 64\)"):
        serialise(lambda x: x.reshape(rows(x), 6), jnp.zeros((1, 2, 3)))
    serialise(lambda x: x.reshape(x.shape[0], 6), jnp.zeros((1, 2, 3)), platforms=["cpu"])
    with pytest.raises(ValueError, match="Incompatible shapes"):
        serialise(lambda x: x + jnp.zeros(4), jnp.zeros((1, 2, 3)))
