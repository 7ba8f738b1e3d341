"""`aejax export`: exported files give the codes of the run."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from aejax.cli.commands import export as command
from aejax.interchange import load_parameters
from tests.cli.conftest import check

# A process in which aejax cannot be imported, since its entry in sys.modules is None.
WITHOUT_AEJAX = """
import sys
sys.modules["aejax"] = None
try:
    import aejax
    raise SystemExit("aejax was imported")
except ImportError:
    pass
import numpy as np
from jax import export
for name, given, made in (("encode", "x", "code"), ("decode", "code", "x_hat")):
    data = open(f"exported/{name}.stablehlo", "rb").read()
    function = export.deserialize(bytearray(data)).call
    whole = np.load(f"{given}.npy")
    made_whole, parts = function(whole), [function(whole[:1]), function(whole[1:8])]
    np.testing.assert_allclose(np.concatenate(parts), made_whole[:8], rtol=1e-5, atol=1e-6)
    np.save(f"{made}.npy", made_whole)
"""


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    from aejax.cli import main

    folder = tmp_path_factory.mktemp("export")
    x = load_digits().images[:20].astype(np.float32)
    np.save(folder / "x.npy", x)
    for words in (
        ["export", finished, "--out", folder / "exported"],
        ["encode", finished, folder / "x.npy", "--out", folder / "expected_code.npy"],
        ["reconstruct", finished, folder / "x.npy", "--out", folder / "expected_x_hat.npy"],
    ):
        assert main([str(word) for word in words]) == 0
    subprocess.run([sys.executable, "-c", WITHOUT_AEJAX], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("name", ["code", "x_hat"])
def test_exported_functions_run_without_aejax(exported, name):
    found, expected = np.load(exported / f"{name}.npy"), np.load(exported / f"expected_{name}.npy")
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_exported_parameters_encode_in_numpy(exported):
    tensors = load_file(exported / "exported/parameters.safetensors")
    x = np.load(exported / "x.npy")
    r = ((x - tensors["normalisation.shift"]) / tensors["normalisation.scale"]).reshape(20, 64)
    pre = r @ tensors["encoder.layer_0.kernel"] + tensors["encoder.layer_0.bias"]
    np.testing.assert_allclose(
        1 / (1 + np.exp(-pre)), np.load(exported / "expected_code.npy"), rtol=1e-4
    )


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_exported_folder_opens_as_a_run(exported, command):
    from aejax.cli import main

    folder, out = exported / "exported", exported / f"{command}_again.npy"
    assert main([command, str(folder), str(exported / "x.npy"), "--out", str(out)]) == 0
    expected = {"encode": "expected_code", "reconstruct": "expected_x_hat"}[command]
    np.testing.assert_array_equal(np.load(out), np.load(exported / f"{expected}.npy"))


def test_parameters_of_another_model_are_refused(exported, tmp_path, capsys):
    from aejax.cli import main

    folder = shutil.copytree(exported / "exported", tmp_path / "exported")
    settings = json.loads((folder / "configuration.json").read_text())
    (folder / "configuration.json").write_text(json.dumps(settings | {"sizes": [64, 11]}))
    words = ["encode", str(folder), str(exported / "x.npy"), "--out", str(tmp_path / "code.npy")]
    assert main(words) == 2
    assert "configuration.json is not what was written" in capsys.readouterr().err
    (folder / "digests.json").unlink()  # as in earlier versions
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "does not contain the model" in said
    assert "encoder.layer_0.kernel was 'float32[64, 12]', now 'float32[64, 11]'" in said


def test_folder_describes_its_contents(exported):
    folder = exported / "exported"
    description = json.loads((folder / "description.json").read_text())
    assert {path.name for path in folder.iterdir()} == {
        "about.json",
        "configuration.json",
        "description.json",
        "digests.json",
        "encode.stablehlo",
        "decode.stablehlo",
        "parameters.npz",
        "parameters.safetensors",
    }
    for suffix in ("npz", "safetensors"):
        params, about = load_parameters(folder / f"parameters.{suffix}")
        assert description.items() <= about.items()
        assert set(params) == {"encoder", "decoder", "normalisation"}
    assert description["encode"].startswith("float32[batch, 8, 8]")
    assert description["encode"].endswith("-> float32[batch, 12]")
    assert description["decode"].startswith("float32[batch, 12] -> float32[batch, 8, 8]")
    assert description["configuration"]["sizes"] == [64, 12]
    assert "linear" not in description  # this model has no path beside its layers


def test_export_does_not_overwrite_another_run(finished, run, aejax):
    other = run.rename(run.with_name("other"))
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    outcome = aejax("export", finished, "--out", other)
    check(outcome, "holds another run: choose another --out")
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before


def test_export_overwrites_an_export_and_fits_into_its_own_run(finished, run, tmp_path, aejax):
    for out in (tmp_path / "exported", tmp_path / "exported", run):
        assert aejax("export", run, "--out", out).code == 0


def test_exported_run_is_not_resumed(finished, tmp_path, aejax):
    out = tmp_path / "exported"
    assert aejax("export", finished, "--out", out).code == 0
    outcome = aejax("train", "--resume", "--out", out, "--epochs", 9, "--quiet")
    check(outcome, "exported parameters and no checkpoint to resume from")
    assert not (out / "checkpoints").exists()


@pytest.mark.parametrize(("offset", "is_said"), [(0.0, False), (1e2, False), (1.7e9, True)])
def test_offset_beyond_float32_precision_is_reported(tmp_path, aejax, offset, is_said):
    np.save(tmp_path / "x.npy", offset + np.random.default_rng(0).random((20, 4)))
    settings = "--sizes 4 2 --epochs 1 --quiet --no-pca --out"
    assert aejax("train --data", tmp_path / "x.npy", settings, tmp_path / "run").code == 0
    outcome = aejax("export", tmp_path / "run", "--out", tmp_path / "exported")
    assert outcome.code == 0
    assert ("float32 rounds them" in outcome.err) == is_said


def test_a_refused_export_leaves_no_folder(finished, tmp_path, aejax, monkeypatch):
    monkeypatch.setattr(command, "encode_array", lambda run, x: x.reshape(len(x), 64)[:, :12])
    out = tmp_path / "exported"
    check(aejax("export", finished, "--out", out), "uses the number of examples as an integer")
    assert not out.exists()
