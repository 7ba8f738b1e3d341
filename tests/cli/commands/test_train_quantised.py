"""`aejax train --quantised.quantiser`: discrete codes as runs that all commands open."""

import json
import shutil

import numpy as np
import pytest
from jax import export
from scipy.stats import entropy
from starlette.testclient import TestClient

from aejax import runs
from aejax.cli import main
from aejax.cli.explorer.application import application
from aejax.cli.explorer.explored_run import view
from aejax.data.split import every_fifth
from aejax.runs.presentation import shown_with_train
from tests.cli.conftest import check, history_of, state_of

SHAPE, ROWS, FEATURES = (6, 5), 120, 7
TRAINING = "--schedule constant --batch-size 30 --quiet --save-every 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table and images, each with a few directions."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    names = ",".join(f"column{i}" for i in range(FEATURES))
    table = rng.normal(size=(ROWS, 2)) @ rng.normal(size=(2, FEATURES))
    np.savetxt(folder / "table.csv", 50 + table, delimiter=",", header=names, comments="")
    images = rng.random((ROWS, 3)) @ rng.random((3, 30))
    np.save(folder / "images.npy", images.reshape(ROWS, *SHAPE))
    return folder


def vector(folder, out, *more):
    quantised = "--quantised.quantiser vector --quantised.codewords 8 --quantised.channels 2"
    return [
        *f"train --data {folder}/images.npy --code 4 {quantised} {TRAINING}".split(),
        *" ".join(map(str, more)).split(),
        *("--out", str(out)),
    ]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Finished run of four epochs; read-only."""
    out = tmp_path_factory.mktemp("runs") / "vector"
    assert main(vector(folder, out, "--epochs 4")) == 0
    return out


def test_the_metrics_are_those_of_the_indices_of_the_test_examples(folder, run):
    metrics = json.loads((run / "metrics.json").read_text())
    _, x = every_fifth(np.load(folder / "images.npy"))
    assert metrics["test_examples"] == len(x)
    indices = runs.encode(runs.open(run), x).indices
    assert indices.shape == (len(x), 2)
    counts = np.bincount(indices.ravel(), minlength=8)
    bits = entropy(counts, base=2)
    assert metrics["code"] == 2
    assert metrics["quantised"] == {
        "perplexity": pytest.approx(2**bits, rel=1e-5),
        "unused": int((counts == 0).sum()),
        "bits": pytest.approx(2 * bits, rel=1e-5),
        "capacity": 6.0,
        "values": 8,
        "indices": 2,
    }


def test_indices_are_written_and_decode_to_the_reconstructions(folder, run, aejax, tmp_path):
    x = np.load(folder / "images.npy")
    codes = tmp_path / "codes.npy"
    done = aejax("encode", run, folder / "images.npy", "--out", codes)
    assert done.code == 0, done.err
    indices = np.load(codes)
    assert indices.dtype == np.int32
    assert indices.shape == (ROWS, 2)
    opened = runs.open(run)
    x_hat = runs.reconstruct(opened, x)
    np.testing.assert_allclose(runs.inference.decoder(opened)(indices), x_hat, rtol=1e-5)
    codebook = np.asarray(opened.params["quantiser"]["codebook"])
    z = np.asarray(runs.encode(opened, x).continuous)
    distances = np.linalg.norm(z[:, :, None] - codebook, axis=-1)
    np.testing.assert_array_equal(indices, distances.argmin(axis=-1))


def test_the_exported_functions_exchange_indices(folder, run, aejax, tmp_path):
    out = tmp_path / "exported"
    done = aejax("export", run, "--out", out)
    assert done.code == 0, done.err
    x = np.load(folder / "images.npy")[:7].astype(np.float32)
    encode, decode = (
        export.deserialize(bytearray((out / f"{name}.stablehlo").read_bytes())).call
        for name in ("encode", "decode")
    )
    indices = encode(x)
    np.testing.assert_array_equal(indices, runs.encode(runs.open(out), x).indices)
    np.testing.assert_allclose(decode(indices), runs.reconstruct(runs.open(run), x), rtol=1e-4)


def test_a_resumed_run_equals_an_uninterrupted_one(folder, run, aejax, tmp_path):
    out = tmp_path / "run"
    assert main(vector(folder, out, "--epochs 2")) == 0
    assert aejax("train --resume --epochs 4 --quiet --out", out).code == 0
    assert state_of(out) == state_of(run)
    assert history_of(out) == history_of(run)
    assert (out / "metrics.json").read_text() == (run / "metrics.json").read_text()


@pytest.mark.slow  # tests/runs/test_quantised_objective.py has the schedule of restarts
def test_a_resumed_run_restarts_the_same_codewords(folder, aejax, tmp_path):
    """In the third epoch; a run without restarts has more unused codewords."""
    few, unused = "--quantised.codewords 64 --quantised.restart-every 2 --epochs", {}
    assert main(vector(folder, tmp_path / "whole", few, 4)) == 0
    assert main(vector(folder, tmp_path / "parts", few, 2)) == 0
    assert aejax("train --resume --epochs 4 --quiet --out", tmp_path / "parts").code == 0
    assert state_of(tmp_path / "parts") == state_of(tmp_path / "whole")
    assert history_of(tmp_path / "parts") == history_of(tmp_path / "whole")
    never = few.replace("restart-every 2", "restart-every 9")
    assert main(vector(folder, tmp_path / "never", never, 4)) == 0
    for name in ("whole", "never"):
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        unused[name] = metrics["quantised"]["unused"]
    assert unused["whole"] < unused["never"]


def test_the_explorer_decodes_chosen_indices(run):
    opened = runs.open(run)
    examples, x_train = shown_with_train(opened, None)
    app = application(view(opened, examples, x_train), "token")
    client = TestClient(app, base_url="http://127.0.0.1/token/")
    described = client.get("description").json()
    assert (described["integers"], described["units"]) == (True, [[0, 7], [0, 7]])
    indices = runs.encode(opened, examples.raw).indices
    found = client.get("example/5").json()
    assert (found["code"], found["pca"]) == (indices[5].tolist(), None)
    chosen = [7, 2]
    x_hat = client.post("decoded/5", json=chosen).json()["x_hat"]
    expected = runs.inference.decoder(opened)(np.array([chosen], np.int32))
    np.testing.assert_allclose(x_hat, expected.ravel(), rtol=1e-5)
    assert not np.allclose(x_hat, found["x_hat"])
    for wrong in ([8, 0], [-1, 0], [0.5, 0]):
        answer = client.post("decoded/5", json=wrong)
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            "an index is an integer from 0 to 7",
        )
    assert client.get("unit/0").status_code == 404
    assert len(client.get("map").json()["units"]) == 2
    assert len(client.get("worst").json()["examples"]) == len(indices)


@pytest.mark.slow
def test_the_report_states_the_usage(run, aejax, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    assert aejax("report", tmp_path / "run").code == 0
    page = (tmp_path / "run/report.html").read_text()
    for part in ("Discrete code", "perplexity", "unused values", "rate in bits", "Reconstructions"):
        assert part in page
    assert "There is no row for PCA: the code is discrete." in page


@pytest.mark.parametrize(
    "settings",
    [
        "--code 4 --quantised.quantiser residual --quantised.depth 2 --quantised.codewords 4",
        "--quantised.quantiser finite-scalar --quantised.levels 3 4",
        "--code 6 --quantised.quantiser lookup-free --quantised.channels 3",
    ],
)
@pytest.mark.slow
def test_every_quantiser_encodes_a_table(settings, folder, aejax, tmp_path):
    out, data = tmp_path / "run", folder / "table.csv"
    done = aejax(f"train --data {data} {settings} {TRAINING} --epochs 2 --out", out)
    assert done.code == 0, done.err
    assert "bits per example" in done.out
    metrics = json.loads((out / "metrics.json").read_text())
    usage = metrics["quantised"]
    assert 0 <= usage["bits"] <= usage["capacity"] + 1e-6
    codes = tmp_path / "codes.csv"
    assert aejax("encode", out, data, "--out", codes).code == 0
    found = np.genfromtxt(codes, delimiter=",", names=True)
    indices = np.stack([found[f"code_{i}"] for i in range(usage["indices"])], axis=1)
    assert len(indices) == ROWS
    assert set(np.unique(indices)) <= set(range(usage["values"]))
    assert aejax("reconstruct", out, data, "--out", tmp_path / "x_hat.csv").code == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("--quantised.codewords 3", "need its quantiser | --quantised.quantiser"),
        (
            "--quantised.quantiser vector --quantised.levels 3 3",
            "quantised.levels has no effect with vector",
        ),
        ("--quantised.quantiser vector --code 6", "each 4 units, but there are 6 | --code 4"),
        ("--quantised.quantiser vector --quantised.codewords 0", "codewords must be 1 or more"),
        ("--quantised.quantiser vector --quantised.restart-every 0", "restart-every must be 1 or"),
        (
            "--quantised.quantiser finite-scalar --quantised.restart-every 2",
            "quantised.restart-every has no effect with finite-scalar",
        ),
        ("--quantised.quantiser vector --quantised.decay 1", "decay must lie in [0, 1), got 1"),
        ("--quantised.quantiser finite-scalar --quantised.levels 2 5", "levels must be 3 or more"),
        ("--quantised.quantiser lookup-free --quantised.channels 31 --code 31", "fewer than 2³¹"),
        ("--quantised.quantiser vector --penalty.l1 1", "only --penalty.l2"),
        ("--quantised.quantiser vector --refinement-steps 2", "no use for --refinement-steps"),
        ("--quantised.quantiser vector --code-activation tanh", "--code-activation identity"),
        (
            "--quantised.quantiser vector --variational.posterior diagonal",
            "one of --variational.posterior, --quantised.quantiser",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    folder, aejax, tmp_path, settings, complaint
):
    out = tmp_path / "run"
    words = f"train --data {folder}/images.npy {settings} --epochs 1 --out"
    check(aejax(words, out), complaint)
    assert not out.exists()
