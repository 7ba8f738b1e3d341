"""Runs of any objective: equality with `fit`, resuming, opening, signals and refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.preprocessing import StandardScaler

import aejax
from aejax import Batch, data, losses, runs, training
from aejax.cli import main
from aejax.training import Stream
from tests.runs.own_objectives import (
    MODELS,
    WINE,
    X,
    dict_objective,
    equinox_objective,
    flax_objective,
)

OPTIMIZER = optax.adam(3e-2)
TRAIN, HELD_OUT, TEST = X[:120], X[120:150], X[150:]
OPTIONS = {"batch_size": 50, "validation": HELD_OUT, "key": 7}
OBJECTIVES = {name: make() for name, make in MODELS.items()}
FLAX = OBJECTIVES["flax"]


def train(out, epochs=3, *, objective=FLAX, optimizer=OPTIMIZER, data=TRAIN, **options):
    return runs.train(objective, optimizer, data, out=out, epochs=epochs, **OPTIONS | options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Folder of a finished run; read-only."""
    out = tmp_path_factory.mktemp("runs") / "mine"
    train(out, test=TEST)
    return out


def assert_equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def without_times(history):
    times = ("seconds", "examples_per_second")
    return [{key: record[key] for key in record if key not in times} for record in history]


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_a_resumed_run_equals_fit(tmp_path, objective):
    state, history = training.fit(objective, OPTIMIZER, TRAIN, epochs=4, keep_best=True, **OPTIONS)
    for epochs in (1, 4):
        run = train(tmp_path / "run", epochs, objective=objective, resume=True)
    assert_equal(run.params, jax.tree.map(jnp.asarray, state.params))
    assert without_times(run.history) == without_times(history)
    assert run.step == int(state.step)
    opened = runs.open(tmp_path / "run", objective)
    assert_equal(opened.params, run.params)
    code = objective.model.encode(run.params, jnp.asarray(TEST))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        runs.encode(opened, TEST),
        code,
    )
    x_hat = aejax.reconstruct(objective, run.params, jnp.asarray(TEST))
    np.testing.assert_allclose(runs.reconstruct(opened, TEST), x_hat, rtol=1e-4, atol=1e-5)


def test_the_folder_holds_what_a_run_of_the_command_holds(finished):
    assert {path.name for path in finished.iterdir()} >= {
        *("about.json", "checkpoints", "checkpoints.json", "digests.json", "history.jsonl"),
        *("metrics.json", "objective.json", "tensorboard"),
    }
    metrics = json.loads((finished / "metrics.json").read_text())
    run = runs.open(finished, FLAX)
    x_hat = np.asarray(runs.reconstruct(run, TEST))
    error = np.mean(np.sum((x_hat - TEST) ** 2, axis=1))
    assert metrics["test"]["reconstruction"] == pytest.approx(error, rel=1e-5)
    assert metrics["validation"] == run.history[metrics["epoch"] - 1]["validation"]


def test_raw_examples_are_normalised_as_by_scikit_learn(tmp_path):
    scale = data.standardise(WINE[:120])
    run = train(tmp_path / "a", data=WINE[:120], validation=WINE[120:150], normalisation=scale)
    scaler = StandardScaler().fit(WINE[:120].astype(float))
    scaled = jnp.asarray(scaler.transform(WINE[150:]), jnp.float32)
    np.testing.assert_allclose(
        runs.encode(run, WINE[150:]), FLAX.model.encode(run.params, scaled), rtol=1e-4, atol=1e-5
    )
    x_hat = scaler.inverse_transform(np.asarray(aejax.reconstruct(FLAX, run.params, scaled)))
    opened = runs.open(tmp_path / "a", FLAX)
    np.testing.assert_allclose(runs.reconstruct(opened, WINE[150:]), x_hat, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="the data have targets: normalise both before"):
        train(tmp_path / "b", data=Batch(WINE, WINE), normalisation=scale)


@pytest.mark.slow
def test_a_stream_equals_fit_stream(tmp_path):
    stream = Stream(lambda rows: Batch(TRAIN[rows]), len(TRAIN), 60)
    options = {"validation": None, "batch_size": None, "steps_per_epoch": 1}
    state, _ = training.fit_stream(FLAX, OPTIMIZER, stream, epochs=4, key=7, steps_per_epoch=1)
    train(tmp_path / "run", 2, data=stream, **options)
    run = train(tmp_path / "run", 4, data=stream, resume=True, **options)
    assert_equal(run.params, state.params)


def test_a_callback_that_stops_is_saved_and_training_resumes_after_it(tmp_path):
    out = tmp_path / "run"
    stopped = train(out, 5, callbacks=[lambda _, record: record["epoch"] == 2], save_every=4)
    assert len(stopped.history) == 2
    resumed = train(out, 5, resume=True)
    whole = train(tmp_path / "whole", 5)
    assert without_times(resumed.history) == without_times(whole.history)


def test_a_code_that_is_a_tree_is_encoded_in_blocks(tmp_path, monkeypatch):
    run = train(tmp_path / "run", 1, objective=OBJECTIVES["dict"])
    whole, x_hat = runs.encode(run, X), runs.reconstruct(run, X)
    monkeypatch.setattr("aejax.runs.inference.MAX_BLOCK_SIZE", 100)
    for found, expected in ((runs.encode(run, X), whole), (runs.reconstruct(run, X), x_hat)):
        jax.tree.map(  # products of other sizes round differently
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected
        )


SCRIPT = """
import sys
import optax
from aejax import runs
from tests.runs.own_objectives import MODELS, X

runs.train(MODELS["module"](), optax.adam(3e-2), X[:120], out=sys.argv[1], epochs=int(sys.argv[2]),
           key=7, validation=X[120:], batch_size=50, resume=True, progress=True)
print("finished")
"""


@pytest.fixture
def start(tmp_path):
    """Start a script without a main guard, in a folder of its own."""
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def start(out: str, epochs: int) -> subprocess.Popen:
        words = [sys.executable, "script.py", out, str(epochs)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(words, cwd=tmp_path, env=environment, **pipes)

    return start


def wait_for_epochs(process: subprocess.Popen, history: Path, count: int) -> None:
    while not (history.exists() and len(history.read_bytes().splitlines()) >= count):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def test_a_killed_script_resumes_bit_identically(tmp_path, start):
    process, out = start("killed", 500), tmp_path / "killed"
    wait_for_epochs(process, out / "history.jsonl", 5)
    process.kill()
    process.communicate()  # closes the pipes
    assert process.returncode == -signal.SIGKILL
    done = len((out / "history.jsonl").read_bytes().splitlines())
    options = {"objective": MODELS["module"](), "validation": X[120:], "optimizer": OPTIMIZER}
    resumed = train(out, done + 3, resume=True, **options)
    whole = train(tmp_path / "whole", done + 3, **options)
    assert 5 <= done < 500
    assert_equal(resumed.params, whole.params)
    assert without_times(resumed.history) == without_times(whole.history)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_stops_after_the_epoch_which_is_saved(tmp_path, number, kind):
    out = tmp_path / "run"
    before = signal.getsignal(number)

    def interrupt(_, record):
        if record["epoch"] == 2:
            signal.raise_signal(number)

    with pytest.raises(kind, match=f"{number.name}: stopped after epoch 2 of 5, which is saved"):
        train(out, 5, callbacks=[interrupt], save_every=5)
    assert signal.getsignal(number) is before
    resumed, whole = train(out, 5, resume=True), train(tmp_path / "whole", 5)
    assert_equal(resumed.params, whole.params)
    assert without_times(resumed.history) == without_times(whole.history)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 1)])
def test_a_signal_stops_a_script_with_a_message(tmp_path, start, number, code):
    process, out = start("stopped", 500), tmp_path / "stopped"
    wait_for_epochs(process, out / "history.jsonl", 1)
    process.send_signal(number)
    printed, errors = process.communicate()
    done = len((out / "history.jsonl").read_bytes().splitlines())
    assert (process.returncode, printed) == (code, "")
    assert f"{number.name}: stopped after epoch {done} of 500, which is saved" in errors
    assert "resume with: aejax.runs.train(..., out='stopped', resume=True)" in errors
    resumed = start("stopped", done)
    printed, _ = resumed.communicate()
    assert (resumed.returncode, printed) == (0, "finished\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "holds a run: say resume=True, or choose another out"),
        ({"resume": True, "data": X[1:121]}, "data fingerprint was"),
        ({"resume": True, "validation": X[121:150]}, "data fingerprint was"),
        ({"resume": True, "key": 8}, r"key was \[0, 7\], now \[0, 8\]"),
        ({"resume": True, "batch_size": 20}, "batch_size was 50, now 20"),
        ({"resume": True, "settings": {"rate": 0.1}}, "settings.rate was None, now 0.1"),
        ({"resume": True, "optimizer": optax.sgd(0.1)}, r"optimizer_state.0.count was 'int32\[\]'"),
        (
            {"resume": True, "objective": flax_objective(code=5)},
            r"bias was 'float32\[3\]', now 'float32\[5\]'",
        ),
        ({"resume": True, "objective": dict_objective()}, "weight of l1 was None, now 0.001"),
        ({"checkpoint": 3}, "say resume=True"),
        ({"resume": True, "checkpoint": 4}, "no checkpoint of step 4"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"keep": 0}, "keep must be at least 1"),
        ({"settings": {"f": len}}, "settings must be a dict of names and JSON values"),
        ({"arguments": {"a": 1}}, "arguments need a factory"),
        ({"steps_per_epoch": 2}, "steps_per_epoch needs a training.Stream"),
        ({"objective": "wine"}, "a factory must be 'module:function'"),
        ({"objective": "tests.runs.none:make"}, "cannot be imported: No module named"),
        ({"objective": "tests.runs.own_objectives:none"}, "does not exist"),
        ({"resume": True, "data": np.full_like(TRAIN, np.nan)}, "x has NaN"),
        ({"resume": True, "test": np.full_like(TEST, np.nan)}, "x has NaN"),
        ({"resume": True, "validation": None, "patience": 1}, "patience needs validation"),
        ({"data": np.float32(1.0)}, "must be"),
    ],
)
def test_bad_input_is_refused_and_the_folder_unchanged(finished, change, message):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(finished, **change)
    after = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert after == before


def test_parameters_that_are_no_arrays_are_refused(tmp_path):
    model = aejax.Autoencoder(
        lambda key: {"w": jnp.ones((13, 2)), "activation": jnp.tanh},
        lambda params, x: x @ params["w"],
        lambda params, h: h @ params["w"].T,
    )
    with pytest.raises(ValueError, match=r"the function tanh .* at \['activation'\]; keep it out"):
        train(tmp_path / "run", objective=aejax.objective(model, losses.squared))
    module = equinox_objective(partition=False)
    with pytest.raises(ValueError, match=r"activation; keep it out .* equinox.partition"):
        train(tmp_path / "run", objective=module)


def test_opening_refuses_another_objective_and_names_the_difference(finished):
    for objective, difference in (
        (flax_objective(code=5), r"decoder.params.kernel was 'float32\[3, 13\]', now 'float32\[5"),
        (OBJECTIVES["dict"], r"now 'float32\[13, 4\]'"),
        (None, "does not record how its objective is made"),
    ):
        with pytest.raises(ValueError, match=difference):
            runs.open(finished, objective)


def test_an_altered_record_is_refused(finished, tmp_path):
    import shutil

    run = Path(shutil.copytree(finished, tmp_path / "run"))
    text = (run / "objective.json").read_text().replace("float32", "float16")
    (run / "objective.json").write_text(text)
    with pytest.raises(ValueError, match=r"objective.json is not what was written for this run"):
        runs.open(run, FLAX)
    with pytest.raises(ValueError, match=r"objective.json is not what was written for this run"):
        train(run, resume=True)


def test_a_run_with_a_factory_opens_without_an_objective(tmp_path):
    factory, out = "tests.runs.own_objectives:flax_objective", tmp_path / "run"
    run = train(out, objective=factory, arguments={"code": 2}, settings={"rate": 3e-2})
    opened = runs.open(str(out))
    assert_equal(opened.params, run.params)
    assert runs.encode(opened, TEST).shape == (len(TEST), 2)
    np.save(tmp_path / "new.npy", TEST)
    for command, name in (("encode", "codes"), ("reconstruct", "x_hat")):
        words = [command, out, tmp_path / "new.npy", "--out", tmp_path / f"{name}.npy"]
        assert main([str(word) for word in words]) == 0
    assert_equal(np.load(tmp_path / "codes.npy"), runs.encode(run, TEST))
    assert_equal(np.load(tmp_path / "x_hat.npy"), runs.reconstruct(run, TEST).astype(np.float32))
    with pytest.raises(ValueError, match=r"failed on \{'size': 2\}"):
        train(tmp_path / "other", objective=factory, arguments={"size": 2})


def test_folders_of_the_other_kind_are_refused(finished, tmp_path, capsys):
    words = "train --data digits --sizes 64 4 --epochs 1 --batch-size 512 --out"
    assert main([*words.split(), str(tmp_path / "command")]) == 0
    assert main(["encode", str(finished), "new.npy"]) == 2
    message = capsys.readouterr().err
    assert "does not record how its objective is made: pass it" in message
    assert "for the command line, train it by the name of its factory: " in message
    for command in ("report", "export", "explore"):
        assert main([command, str(finished)]) == 2
        assert "does not record how its objective is made: pass it" in capsys.readouterr().err
    for command in (["train", "--resume", "--out"], ["train", "--out"]):
        assert main([*command, str(finished)]) == 2
        assert "is a run of aejax.runs.train" in capsys.readouterr().err.replace("holds", "is")
    with pytest.raises(ValueError, match="holds a run of aejax train: resume it with aejax train"):
        train(tmp_path / "command", resume=True)
    with pytest.raises(ValueError, match="is a run of aejax train, which makes its own objective"):
        runs.open(tmp_path / "command", FLAX)
    assert isinstance(runs.open(tmp_path / "command"), runs.Run)
    with pytest.raises(FileNotFoundError, match="is not a run"):
        runs.open(tmp_path, FLAX)
