"""`aejax encode` and `aejax reconstruct` against NumPy formulas with the same parameters."""

import gzip
import json
import zipfile

import jax.numpy as jnp
import numpy as np
import pandas
import pytest
from flax import linen
from PIL import Image
from sklearn.datasets import load_digits

from aejax.runs.run import open_run
from tests.cli.conftest import check

SLOW = pytest.mark.slow


@pytest.fixture
def new(tmp_path):
    """Raw digits as images, 0 to 16."""
    x = load_digits().images[:50].astype(np.float32)
    np.save(tmp_path / "new.npy", x)
    return tmp_path / "new.npy", x


def layer(params: dict, x) -> jnp.ndarray:
    return x @ params["layer_0"]["kernel"] + params["layer_0"]["bias"]


def test_codes_equal_the_formula(finished, new, tmp_path, aejax):
    path, x = new
    outcome = aejax("encode", finished, path, "--out", tmp_path / "deep/codes.npy")
    assert outcome == (0, f"{tmp_path / 'deep/codes.npy'}: float32 [50, 12]\n", "")
    codes = np.load(tmp_path / "deep/codes.npy")
    params = open_run(finished).params
    expected = linen.sigmoid(layer(params["encoder"], x.reshape(50, 64) / 16))
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, expected, rtol=1e-5)


def test_reconstructions_have_units_and_shape_of_the_data(finished, new, tmp_path, aejax):
    path, x = new
    assert aejax("reconstruct", finished, path, "--out", tmp_path / "x_hat.npy").code == 0
    x_hat = np.load(tmp_path / "x_hat.npy")
    params = open_run(finished).params
    code = linen.sigmoid(layer(params["encoder"], x.reshape(50, 64) / 16))
    expected = 16 * linen.sigmoid(layer(params["decoder"], code)).reshape(50, 8, 8)
    assert x_hat.shape == (50, 8, 8)
    np.testing.assert_allclose(x_hat, expected, rtol=1e-4)


def test_examples_are_processed_in_blocks(finished, new, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr("aejax.runs.inference.MAX_BLOCK_SIZE", 16)
    path, x = new
    np.save(tmp_path / "flat.npy", x.reshape(50, 64).astype(np.uint8))
    aejax("encode", finished, tmp_path / "flat.npy", "--out", tmp_path / "parts.npy")
    monkeypatch.undo()
    aejax("encode", finished, path, "--out", tmp_path / "whole.npy")
    parts, whole = np.load(tmp_path / "parts.npy"), np.load(tmp_path / "whole.npy")
    assert parts.shape == (50, 12)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_best_checkpoint_is_the_default(run, new, tmp_path, aejax):
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


def test_idx_files_are_read(finished, new, tmp_path, aejax):
    path, x = new
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in x.shape)
    (tmp_path / "new.gz").write_bytes(gzip.compress(header + x.astype(np.uint8).tobytes()))
    for name, data in (("npy", path), ("idx", tmp_path / "new.gz")):
        assert aejax("encode", finished, data, "--out", tmp_path / f"{name}.codes.npy").code == 0
    npy, idx = (tmp_path / f"{name}.codes.npy" for name in ("npy", "idx"))
    assert npy.read_bytes() == idx.read_bytes()


def test_csv_has_one_row_per_example(finished, new, tmp_path, aejax):
    path, _ = new
    for name in ("codes.npy", "codes.csv"):
        assert aejax("encode", finished, path, "--out", tmp_path / name).code == 0
    codes = np.load(tmp_path / "codes.npy")
    header, *lines = (tmp_path / "codes.csv").read_text(encoding="ascii").splitlines()
    assert header.split(",") == [f"code_{i}" for i in range(12)]
    rows = [[float(number) for number in line.split(",")] for line in lines]
    np.testing.assert_array_equal(np.array(rows, np.float32), codes)  # no digit is lost
    assert [line.split(",") for line in lines] == [[f"{code:.9g}" for code in row] for row in codes]
    assert aejax("reconstruct", finished, path, "--out", tmp_path / "x_hat.csv").code == 0
    assert pandas.read_csv(tmp_path / "x_hat.csv").shape == (50, 64)


@pytest.mark.parametrize("labels", ["y", "labels", "file"])  # `file` is an argument of np.savez
def test_labels_are_kept_or_reported_as_omitted(finished, new, tmp_path, aejax, labels):
    _, x = new
    y, names, mean = np.arange(50), np.array(["a", "b"] * 25), x.mean(axis=0)
    with zipfile.ZipFile(tmp_path / "new.npz", "w") as archive:
        for name, array in {"x": x, labels: y, "names": names, "mean": mean}.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, array)
    kept = aejax("encode", finished, tmp_path / "new.npz", "--out", tmp_path / "codes.npz")
    assert kept.code == 0
    assert "left out of" in kept.err
    assert f": mean of {tmp_path / 'new.npz'}" in kept.err
    with np.load(tmp_path / "codes.npz") as found:
        assert sorted(found) == sorted(["x", labels, "names"])
        np.testing.assert_array_equal(found[labels], y)
        np.testing.assert_array_equal(found["names"], names)
        codes = found["x"]
    for suffix in (".npy", ".csv"):
        out = tmp_path / f"codes{suffix}"
        left_out = aejax("encode", finished, tmp_path / "new.npz", "--out", out)
        assert f"left out of {out}: {labels}, names, mean" in left_out.err
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), codes)


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("codes", "out must end in .npy, .npz, .csv, got | codes"),
        ("codes.txt", "out must end in .npy, .npz, .csv, got | codes.txt"),
        ("codes.npy.gz", "out must end in .npy, .npz, .csv, got | codes.npy.gz"),
        (".csv", "out must end in .npy, .npz, .csv, got | .csv"),
        ("folder.npy", "folder.npy is a folder: name a file in it"),
    ],
)
def test_unknown_output_format_is_refused(finished, new, tmp_path, aejax, command, name, words):
    (tmp_path / "folder.npy").mkdir()
    before = sorted(tmp_path.rglob("*"))
    check(aejax(command, finished, "nowhere.npy", "--out", tmp_path / name), words)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("unit", [1.0, *(pytest.param(u, marks=SLOW) for u in (1e-30, 1e30))])
def test_reconstructions_are_float64_if_float32_loses_precision(tmp_path, aejax, unit):
    """A range of 1 at an offset of 10⁹ is below the resolution of float32."""
    x = unit * (1e9 + np.random.default_rng(0).normal(size=(40, 4)))
    np.save(tmp_path / "x.npy", x)
    settings = "--normalise standardise --loss squared --activation identity --sizes 4 4"
    words = f"train --data {tmp_path / 'x.npy'} {settings} --epochs 1 --batch-size 8 --quiet --out"
    assert aejax(words, tmp_path / "run").code == 0
    out = tmp_path / "x_hat.npy"
    assert aejax("reconstruct", tmp_path / "run", tmp_path / "x.npy", "--out", out).code == 0
    x_hat = np.load(out)
    assert x_hat.dtype == np.float64
    assert np.unique(x_hat).size > 100


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_image_folder_is_read_with_the_mode_of_the_run(tmp_path, aejax, command):
    x = np.random.default_rng(0).integers(0, 2**16, (12, 3, 2), np.uint16)
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    np.save(tmp_path / "x.npy", x)
    settings = "--stream --sizes 6 2 --epochs 1 --quiet --no-pca --out"
    assert aejax("train --data", folder, settings, tmp_path / "run").code == 0
    outs = tmp_path / "of_folder.npy", tmp_path / "of_file.npy"
    for data, out in zip((folder, tmp_path / "x.npy"), outs, strict=True):
        assert aejax(command, tmp_path / "run", data, "--out", out).code == 0
    of_folder, of_file = map(np.load, outs)
    assert len(of_folder) == 12
    np.testing.assert_array_equal(of_folder, of_file)
