"""Harvested activations equal those of the function, resume, and refuse what does not fit."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import data, losses, runs, training
from aejax.data.activation_shards import MANIFEST
from aejax.runs.harvesting import UNFINISHED

X = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)


def hidden(kernel, x):
    return jnp.tanh(x @ kernel)


def small(folder, function=hidden, params=KERNEL, x=X, **settings):
    settings = {"batch_size": 5, "examples_per_shard": 10} | settings
    return runs.harvest(function, params, x, out=folder, **settings)


def test_rows_norm_and_manifest_match_numpy(tmp_path):
    found = small(tmp_path / "h")
    expected = np.tanh(X.astype(float) @ KERNEL)
    np.testing.assert_allclose(found.rows[:], expected, atol=1e-6)
    assert found.mean_norm == pytest.approx(np.linalg.norm(expected, axis=1).mean(), rel=1e-6)
    assert (found.examples, found.positions, found.rows.dtype) == (23, (), np.float32)
    names = {path.name for path in (tmp_path / "h").iterdir()} - {".lock"}
    assert names == {MANIFEST, *(f"activations_{i:05d}.npy" for i in range(3))}
    order = np.random.default_rng(0).permutation(23)
    np.testing.assert_array_equal(found.rows[order], found.rows[:][order])


def test_positions_become_rows_of_their_example(tmp_path):
    x = np.random.default_rng(0).integers(9, size=(7, 3))
    table = np.random.default_rng(1).normal(size=(9, 2))
    found = small(tmp_path / "h", lambda table, x: table[x], table, x, dtype="float16")
    assert (found.positions, found.rows.shape, found.rows.dtype) == ((3,), (21, 2), np.float16)
    np.testing.assert_allclose(found.rows[:], table[x].reshape(21, 2), rtol=1e-3)


def test_a_lazy_array_gives_the_rows_of_the_array(tmp_path):
    lazy = data.LazyArray("x", lambda rows: X[rows], X.shape, X.dtype)
    in_memory, streamed = small(tmp_path / "a"), small(tmp_path / "b", x=lazy)
    np.testing.assert_array_equal(in_memory.rows[:], streamed.rows[:])


def test_training_reads_the_folder_as_a_stream(tmp_path):
    small(tmp_path / "h")
    source = data.open_stream(tmp_path / "h")
    assert (source.train.shape, source.test.shape) == ((19, 6), (4, 6))
    np.testing.assert_allclose(source.test[:], np.tanh(X[4::5] @ KERNEL), atol=1e-6)
    stream = training.Stream(
        lambda rows: aejax.Batch(source.train[rows]), examples=len(source.train), batch_size=8
    )
    objective = aejax.objective(aejax.dictionary(6, 8), losses.squared)
    _, history = training.fit_stream(objective, optax.adam(1e-2), stream, key=0, epochs=20)
    assert history[-1]["loss"] < history[0]["loss"]


def test_an_interrupted_harvest_resumes_after_its_last_shard(tmp_path, monkeypatch):
    whole = small(tmp_path / "whole")
    broken = data.LazyArray("x", reader(limit=15), X.shape, X.dtype)
    with pytest.raises(OSError, match="disk"):
        small(tmp_path / "h", x=broken)
    assert (tmp_path / "h" / UNFINISHED).exists()
    with pytest.raises(FileNotFoundError, match=f"no {MANIFEST}"):
        data.open_activations(tmp_path / "h")
    first = (tmp_path / "h" / "activations_00000.npy").stat().st_mtime_ns
    resumed = small(tmp_path / "h", x=data.LazyArray("x", reader(limit=99), X.shape, X.dtype))
    assert (tmp_path / "h" / "activations_00000.npy").stat().st_mtime_ns == first
    np.testing.assert_array_equal(resumed.rows[:], whole.rows[:])
    assert resumed.mean_norm == whole.mean_norm
    assert not (tmp_path / "h" / UNFINISHED).exists()


def reader(limit):
    """Reads rows, but fails in a batch that begins at `limit` or later."""

    def read(rows):
        if len(rows) <= 5 and rows[0] >= limit:
            raise OSError("disk failure")
        return X[rows]

    return read


def test_a_complete_harvest_is_opened_and_not_repeated(tmp_path):
    first = small(tmp_path / "h")
    (path,) = (tmp_path / "h").glob("*0.npy")
    before = path.stat().st_mtime_ns
    assert small(tmp_path / "h").mean_norm == first.mean_norm
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"params": KERNEL + 1}, "another harvest: source"),
        ({"x": X + 1}, "another harvest: source"),
        ({"dtype": "float16"}, "another harvest: dtype"),
        ({"examples_per_shard": 5}, "another harvest: examples_per_shard"),
        ({"function": lambda kernel, x: x @ kernel}, "another function"),
    ],
)
def test_another_source_is_refused(tmp_path, changed, message):
    small(tmp_path / "h")
    with pytest.raises(ValueError, match=message):
        small(tmp_path / "h", **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": np.where(np.arange(23)[:, None] == 7, np.nan, X)}, "activations of example 7"),
        ({"x": 1e6 * X, "dtype": "float16", "function": lambda k, x: x @ k}, "example 0 .*range"),
        ({"x": X[:0]}, r"array of examples \[examples"),
        ({"x": np.zeros(())}, r"got ndarray of shape \[\]"),
        ({"function": lambda kernel, x: x.sum(axis=1)}, r"\[batch, \*positions, features\], got"),
        ({"function": lambda kernel, x: x[:0]}, "positions, features"),
        ({"function": lambda kernel, x: (x, x)}, "positions, features"),
        ({"function": lambda kernel, x: x > 0}, "floating-point numbers, got bool"),
        ({"dtype": "int8"}, "float16, float32 or float64, got int8"),
        ({"batch_size": 0}, "at least 1, got 0"),
        ({"examples_per_shard": 7}, "multiple of the batch size, 5, got 7"),
    ],
)
def test_bad_input_is_refused(tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        small(tmp_path / "h", **changed)
    assert not (tmp_path / "h" / MANIFEST).exists()


def test_other_files_are_not_mixed_with_shards(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"contains notes.txt"):
        small(tmp_path)


def test_a_folder_that_does_not_match_its_manifest_is_refused(tmp_path):
    folder = tmp_path / "h"
    small(folder)
    path = folder / "activations_00001.npy"
    np.save(path, np.zeros((9, 6), np.float32))
    with pytest.raises(ValueError, match=r"float32\[9, 6\], but its manifest states float32\[10"):
        data.open_activations(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="is missing"):
        data.open_activations(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    for damage in ({"format": "other"}, {"examples": 24}, {"shards": None}, {"features": "x"}):
        (folder / MANIFEST).write_text(json.dumps(manifest | damage))
        with pytest.raises(ValueError, match="not a manifest"):
            data.open_activations(folder)


def test_digests_cover_random_keys(tmp_path):
    params = {"kernel": KERNEL, "key": jax.random.key(0)}

    def function(params, x):
        return hidden(params["kernel"], x)

    first = small(tmp_path / "a", function, params)
    other = small(tmp_path / "b", function, params | {"key": jax.random.key(1)})
    assert first.source["parameters"] != other.source["parameters"]
    assert first.source["inputs"] == other.source["inputs"]
