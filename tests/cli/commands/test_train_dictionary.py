"""`aejax train --dictionary.activation`: dictionaries as runs that all commands open."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from aejax import runs
from aejax.layers.dictionary_layers import decoder_norms
from aejax.runs.streamed_examples import load_examples
from tests.cli.conftest import check, history_of, state_of

UNITS, K, FEATURES, ROWS = 24, 3, 7, 400
ACTIVATIONS = ("relu", "topk", "batchtopk", "jumprelu", "gated", "matching-pursuit")
SETTINGS = (
    f"--code {UNITS} --learning-rate 3e-3 --schedule constant --batch-size 40 --quiet "
    "--save-every 1 --dictionary.dead-after 5"
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Mixtures of a few directions, with another unit and offset."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(UNITS, FEATURES))
    active = rng.random((ROWS, UNITS)).argsort(axis=1) < K
    path = tmp_path_factory.mktemp("data") / "table.npy"
    np.save(path, 5e4 + 1e3 * (active * rng.uniform(0.5, 1.5, active.shape)) @ truth)
    return path


def words(table, activation, *more):
    k = "" if activation in ("relu", "gated") else f"--dictionary.k {K}"
    return f"train --data {table} {SETTINGS} --dictionary.activation {activation} {k}", *more


def assert_same_use(*folders):
    """Equal metrics, and equal thresholds of the checkpoints that both runs have kept."""
    first, second = (json.loads((folder / "thresholds.json").read_text()) for folder in folders)
    steps = first.keys() & second.keys()
    assert max(steps, key=int) == max(first | second, key=int)
    assert {step: first[step] for step in steps} == {step: second[step] for step in steps}
    metrics, others = ((folder / "metrics.json").read_text() for folder in folders)
    assert metrics == others


@pytest.fixture(scope="module")
def batch_top_k(table, tmp_path_factory):
    """Finished run of four epochs; read-only."""
    from aejax.cli import main

    out = tmp_path_factory.mktemp("runs") / "batchtopk"
    line = " ".join(words(table, "batchtopk", "--epochs 4 --dictionary.prefixes 6 12"))
    assert main([*line.split(), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(
    "activation",
    [pytest.param(name, marks=[] if name == "gated" else pytest.mark.slow) for name in ACTIVATIONS],
)
def test_every_dictionary_is_trained_opened_and_exported(activation, table, aejax, tmp_path):
    done = aejax(*words(table, activation, "--epochs 3 --out", tmp_path / "run"))
    assert done.code == 0, done.err
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    x, run = np.load(table)[:50], runs.open(tmp_path / "run")
    code, x_hat = runs.encode(run, x), runs.reconstruct(run, x)
    assert code.shape == (50, UNITS)
    assert 0 < metrics["active_units"] <= UNITS
    assert abs(x_hat.mean() - x.mean()) < 1e3  # in the units of the data
    np.testing.assert_allclose(decoder_norms(run.params), 1, atol=1e-6)
    if activation in ("topk", "matching-pursuit"):
        assert np.count_nonzero(code, axis=1).max() <= K
    assert aejax("export", tmp_path / "run", "--out", tmp_path / "exported").code == 0
    np.testing.assert_array_equal(runs.encode(runs.open(tmp_path / "exported"), x), code)


def test_batch_top_k_in_use_has_the_active_units_of_training(table, batch_top_k, aejax, tmp_path):
    run, x = runs.open(batch_top_k), np.load(table)
    code = runs.encode(run, x)
    assert np.count_nonzero(code) / len(x) == pytest.approx(K, rel=0.1)  # with held-out examples
    alone = np.concatenate([runs.encode(run, x[row : row + 1]) for row in range(5)])
    np.testing.assert_allclose(alone, code[:5], rtol=1e-4, atol=1e-5)  # not of its batch
    assert aejax("encode", batch_top_k, table, "--out", tmp_path / "codes.npy").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), code)
    for name in ("score.csv", "reconstruct.npy"):
        done = aejax(name.partition(".")[0], batch_top_k, table, "--out", tmp_path / name)
        assert done.code == 0, done.err
    x_hat = np.load(tmp_path / "reconstruct.npy")
    np.testing.assert_allclose(x_hat, runs.reconstruct(run, x), rtol=1e-6)


@pytest.mark.slow
def test_a_dictionary_is_reported(batch_top_k, aejax, tmp_path, undrawn):
    shutil.copytree(batch_top_k, tmp_path / "run")
    assert aejax("report", tmp_path / "run").code == 0


def test_the_threshold_is_that_of_the_train_examples(table, batch_top_k):
    """Exactly k N units of the N train examples are active, for every checkpoint."""
    for step in json.loads((batch_top_k / "thresholds.json").read_text()):
        run = runs.open(batch_top_k, checkpoint=int(step))
        x = load_examples(run.configuration).train_sample()
        code = run.objective.model.encode(run.params, jnp.asarray(x))
        assert np.count_nonzero(code) == pytest.approx(K * len(x), abs=1)


def test_metrics_are_those_of_numpy(batch_top_k):
    run, metrics = runs.open(batch_top_k), json.loads((batch_top_k / "metrics.json").read_text())
    examples = load_examples(run.configuration)
    x = np.asarray(examples.shown().batch.x, float)
    code = run.objective.model.encode(run.params, jnp.asarray(x))
    x_hat = np.asarray(run.objective.model.decode(run.params, code), float)
    code = np.asarray(code)
    assert metrics["active_units"] == pytest.approx(np.count_nonzero(code) / len(x))
    assert metrics["dead_units"] == UNITS - np.count_nonzero(code.any(axis=0))
    explained = 1 - np.square(x_hat - x).sum() / np.square(x - x.mean(axis=0)).sum()
    assert metrics["explained_variance"] == pytest.approx(explained, abs=1e-5)
    assert metrics["pca_components"] == round(metrics["active_units"]) == K
    x_train = examples.pca_examples()[0]
    _, _, axes = np.linalg.svd(x_train - x_train.mean(axis=0))
    lost = (x - x_train.mean(axis=0)) @ axes[K:].T
    error = np.square(lost).sum() / len(x)
    assert metrics["pca_test_error"] == pytest.approx(error, rel=1e-4)


def test_a_resumed_dictionary_equals_an_uninterrupted_one(table, batch_top_k, aejax, tmp_path):
    out = tmp_path / "run"
    more = "--dictionary.prefixes 6 12"
    assert aejax(*words(table, "batchtopk", more, "--epochs 2 --out", out)).code == 0
    assert aejax("train --resume --epochs 4 --quiet --out", out).code == 0
    assert state_of(out) == state_of(batch_top_k)
    assert history_of(out) == history_of(batch_top_k)
    assert_same_use(out, batch_top_k)


@pytest.mark.slow
def test_a_killed_dictionary_equals_an_uninterrupted_one(table, aejax, tmp_path):
    line = " ".join(map(str, words(table, "batchtopk", "--epochs 40 --out"))).split()
    assert aejax(" ".join([*line, str(tmp_path / "whole")])).code == 0
    out = tmp_path / "killed"
    start = [sys.executable, "-m", "aejax", *line, str(out)]
    process = subprocess.Popen(start, env=os.environ)
    deadline = time.monotonic() + 120
    while not (out / "history.jsonl").exists() or len(history_of(out)) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(history_of(out)) < 40
    check(
        aejax("encode", out, table, "--out", tmp_path / "codes.npy"),
        "no threshold for step | --resume",
    )
    assert aejax("train --resume --quiet --out", out).code == 0
    assert state_of(out) == state_of(tmp_path / "whole")
    assert_same_use(out, tmp_path / "whole")


def test_an_altered_threshold_is_refused(table, batch_top_k, aejax, tmp_path):
    run = shutil.copytree(batch_top_k, tmp_path / "run")
    (run / "thresholds.json").write_text('{"9": 0.5}')
    codes = tmp_path / "codes.npy"
    check(aejax("encode", run, table, "--out", codes), "thresholds.json is not what was written")


@pytest.mark.slow
def test_k_is_swept(table, aejax, tmp_path):
    line = f"sweep --data {table} {SETTINGS.replace('--save-every 1', '')} --epochs 3 --seeds 2"
    line = line.replace(f"--code {UNITS}", f"--code {UNITS} --dictionary.activation batchtopk")
    done = aejax(f"{line} --dictionary.k 1 3 --json --out", tmp_path / "k")
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    errors = {k: min(row["test_error"] for row in rows if row["dictionary.k"] == k) for k in (1, 3)}
    assert errors[3] < errors[1]
    (best,) = [path for path in (tmp_path / "k/runs").iterdir() if "k-3" in path.name]
    x = np.load(table)
    active = np.count_nonzero(runs.encode(runs.open(best), x)) / len(x)
    assert active == pytest.approx(3, rel=0.1)


@pytest.mark.slow
def test_the_weight_of_the_penalty_is_swept_in_one_program(table, aejax, tmp_path):
    line = f"sweep --data {table} {SETTINGS.replace('--save-every 1', '')} --epochs 5 --seeds 1"
    line = line.replace(f"--code {UNITS}", f"--code {UNITS} --dictionary.activation relu")
    done = aejax(f"{line} --dictionary.sparsity 0.1 20 --json --out", tmp_path / "weights")
    assert done.code == 0, done.err
    weak, strong = sorted(json.loads(done.out), key=lambda row: row["dictionary.sparsity"])
    assert weak["test_error"] < strong["test_error"]
    assert len(list((tmp_path / "weights/runs").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("--dictionary.k 3", "need its activation | --dictionary.activation"),
        ("--dictionary.activation relu --dictionary.k 3", "dictionary.k has no effect with relu"),
        (
            "--dictionary.activation jumprelu --dictionary.sparsity 0 --dictionary.k 3",
            "dictionary.k has no effect with jumprelu without sparsity",
        ),
        ("--dictionary.activation topk --dictionary.k 0", "dictionary.k must be 1 or more, got 0"),
        ("--dictionary.activation topk --tied", "no use for --tied"),
        ("--dictionary.activation topk --penalty.l1 1", "--penalty.l1 | --dictionary.sparsity"),
        ("--dictionary.activation topk --loss bernoulli", "--loss squared, got bernoulli"),
        (
            "--dictionary.activation topk --dictionary.prefixes 9 --code 5",
            "dictionary.prefixes is 9, more than the 5 units",
        ),
        ("--dictionary.activation topk --sizes 7 9 5", "one layer of units: say --code"),
        (
            "--dictionary.activation matching-pursuit --dictionary.auxk 1",
            "dictionary.auxk has no effect with matching-pursuit",
        ),
        (
            "--dictionary.activation topk --dictionary.k 99 --code 5",
            "dictionary.k is 99, more than the 5 units",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    table, aejax, tmp_path, settings, complaint
):
    out = tmp_path / "run"
    check(aejax(f"train --data {table} {settings} --out", out), complaint)
    assert not out.exists()
