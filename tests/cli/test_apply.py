"""`aejax encode` and `aejax reconstruct`: what the library gives, from the same parameters."""

import gzip
import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen
from sklearn.datasets import load_digits

from aejax.cli.run import open_run


@pytest.fixture
def new(tmp_path):
    """Raw digits as images, 0 to 16."""
    x = load_digits().images[:50].astype(np.float32)
    np.save(tmp_path / "new.npy", x)
    return tmp_path / "new.npy", x


def layer(params: dict, x) -> jnp.ndarray:
    return x @ params["layer_0"]["kernel"] + params["layer_0"]["bias"]


def test_codes_are_those_of_the_formula(finished, new, tmp_path, aejax):
    path, x = new
    outcome = aejax("encode", finished, path, "--out", tmp_path / "deep/codes.npy")
    assert outcome == (0, f"{tmp_path / 'deep/codes.npy'}: float32 [50, 12]\n", "")
    codes = np.load(tmp_path / "deep/codes.npy")
    params = open_run(finished).params
    expected = linen.sigmoid(layer(params["encoder"], x.reshape(50, 64) / 16))
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, expected, rtol=1e-5)


def test_reconstructions_come_in_the_units_and_shape_of_the_data(finished, new, tmp_path, aejax):
    path, x = new
    assert aejax("reconstruct", finished, path, "--out", tmp_path / "x_hat.npy").code == 0
    x_hat = np.load(tmp_path / "x_hat.npy")
    params = open_run(finished).params
    code = linen.sigmoid(layer(params["encoder"], x.reshape(50, 64) / 16))
    expected = 16 * linen.sigmoid(layer(params["decoder"], code)).reshape(50, 8, 8)
    assert x_hat.shape == (50, 8, 8)
    np.testing.assert_allclose(x_hat, expected, rtol=1e-4)


def test_any_number_of_examples_is_taken_in_parts(finished, new, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.cli.apply.EXAMPLES_AT_ONCE", 16)
    path, x = new
    np.save(tmp_path / "flat.npy", x.reshape(50, 64).astype(np.uint8))
    aejax("encode", finished, tmp_path / "flat.npy", "--out", tmp_path / "parts.npy")
    monkeypatch.undo()
    aejax("encode", finished, path, "--out", tmp_path / "whole.npy")
    parts, whole = np.load(tmp_path / "parts.npy"), np.load(tmp_path / "whole.npy")
    assert parts.shape == (50, 12)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_the_best_checkpoint_serves_unless_one_is_named(run, new, tmp_path, aejax):
    data, _ = new
    losses = {
        int(path.name): json.loads((path / "about.json").read_text())["validation_loss"]
        for path in (run / "checkpoints").iterdir()
    }
    best, worst = min(losses, key=losses.get), max(losses, key=losses.get)
    for name, choice in {
        "unnamed": "",
        "best": f"--checkpoint {best}",
        "worst": f"--checkpoint {worst}",
    }.items():
        assert aejax("encode", run, data, choice, "--out", tmp_path / f"{name}.npy").code == 0
    unnamed, of_best, of_worst = (
        np.load(tmp_path / f"{name}.npy") for name in ("unnamed", "best", "worst")
    )
    assert np.array_equal(unnamed, of_best)
    assert not np.array_equal(unnamed, of_worst)


def test_idx_files_are_read_too(finished, new, tmp_path, aejax):
    path, x = new
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in x.shape)
    (tmp_path / "new.gz").write_bytes(gzip.compress(header + x.astype(np.uint8).tobytes()))
    for name, data in (("npy", path), ("idx", tmp_path / "new.gz")):
        assert aejax("encode", finished, data, "--out", tmp_path / f"{name}.codes").code == 0
    assert (tmp_path / "npy.codes").read_bytes() == (tmp_path / "idx.codes").read_bytes()
