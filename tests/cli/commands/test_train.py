"""`aejax train`: folder, metrics and progress of a run."""

import json
import shutil
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import optax
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from aejax.cli.commands import report
from aejax.cli.execution import parsed
from aejax.runs.run import open_run
from tests.cli.conftest import EPOCHS, check, history_of
from tests.tensorboard_events import read_events

STEPS_PER_EPOCH = 6  # 1294 of 1438 train examples, 256 at a time


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard scalars by name, as (step, value)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in read_events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_folder_contains_settings_history_checkpoints_and_metrics(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        ".lock",
        "about.json",
        "checkpoints",
        "checkpoints.json",
        "configuration.json",
        "digests.json",
        "history.jsonl",
        "metrics.json",
        "tensorboard",
    ]
    configuration = json.loads((finished / "configuration.json").read_text())
    assert configuration["sizes"] == [64, 12]
    assert configuration["penalty"]["sparsity"] == 0.1
    assert configuration["epochs"] == EPOCHS
    about = json.loads((finished / "about.json").read_text())
    assert about["feature_shape"] == [8, 8]
    assert {"python", "jax", "device", "revision"} <= about["environment"].keys()
    steps = sorted(int(path.name) for path in (finished / "checkpoints").iterdir())
    assert steps == [STEPS_PER_EPOCH * epoch for epoch in (4, 5, 6)]


def test_loggers_are_those_of_the_command_and_of_a_resumed_run(aejax, tmp_path):
    out, words = tmp_path / "run", "train --data digits --schedule constant --quiet --epochs"
    assert aejax(f"{words} 2 --loggers csv tensorboard --out", out).code == 0
    assert aejax("train --resume --epochs 3 --out", out).code == 0
    steps = [record["step"] for record in history_of(out)]
    assert pd.read_csv(out / "epochs.csv").step.tolist() == steps
    values = [(e.step, v) for e in read_events(out / "tensorboard") for v in e.summary.value]
    assert [step for step, value in values if value.tag == "reconstructions"] == steps
    (image, *_) = (value.image for _, value in values if value.tag == "reconstructions")
    assert (image.height, image.width) == (2 * 8, 8 * 8)
    assert any(b"learning_rate" in value.metadata.plugin_data.content for _, value in values)
    assert aejax("train --resume --epochs 4 --loggers --out", out).code == 0
    assert len(pd.read_csv(out / "epochs.csv")) == 3


def test_small_integers_get_advice_about_their_scale(aejax, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("small.npy", load_digits().images.astype(np.uint8))
    np.save("float.npy", load_digits().images)
    np.save("full.npy", (load_digits().images * 15).astype(np.uint8))
    note = "the largest value is only 0.063 of the largest that the format of the data allows"
    for words, has_note in (
        ("small.npy", True),
        ("small.npy --normalise standardise", False),
        ("float.npy", False),
        ("full.npy", False),
    ):
        done = aejax(
            f"train --epochs 1 --quiet --no-pca --out {words.split()[0]}.run --data", words
        )
        assert (done.code, note in done.err) == (0, has_note)
        shutil.rmtree(f"{words.split()[0]}.run")


def test_a_logger_whose_package_is_missing_is_refused_first(aejax, tmp_path, monkeypatch):
    monkeypatch.setattr("aejax.runs.loggers.named_loggers.find_spec", lambda _: None)
    refused = aejax("train --data none.npy --loggers wandb --out", tmp_path / "run")
    check(refused, "--loggers wandb needs wandb: pip install 'aejax[wandb]'")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(
    not all(map(find_spec, ("wandb", "mlflow"))), reason="pip install wandb mlflow-skinny"
)
@pytest.mark.filterwarnings("ignore")
def test_trackers_receive_the_settings_and_images_of_a_command(aejax, tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    words = "train --data digits --epochs 2 --quiet --loggers wandb mlflow --out runs/mine"
    assert aejax(words).code == 0
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    identity = json.loads(Path("runs/mine/mlflow.json").read_text())["identity"]
    stored = client.get_run(identity)
    assert (stored.info.run_name, stored.data.params["loss"]) == ("mine", "squared")
    assert client.get_experiment(stored.info.experiment_id).name == "aejax"
    images = [each.path for each in client.list_artifacts(identity, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 2
    assert len([*Path("runs/mine/wandb").rglob("*.png")]) == 2


def test_decoder_sizes_may_differ_from_the_encoder(aejax, small, tmp_path):
    done = aejax(
        f"train --data {small} --sizes 6 2 --decoder-sizes 2 5 4 6 --batch-size 8 --epochs 1 "
        "--loss squared --out",
        tmp_path / "run",
    )
    assert done.code == 0, done.err
    run = open_run(tmp_path / "run")
    decoder = run.params["decoder"].values()
    assert [layer["kernel"].shape for layer in decoder] == [(2, 5), (5, 4), (4, 6)]


def test_last_epoch_is_always_saved(aejax, small, tmp_path):
    done = aejax(
        f"train --data {small} --sizes 6 2 --batch-size 8 --epochs 3 --validation 0 --save-every 2 "
        "--keep 3 --out",
        tmp_path / "run",
    )
    assert done.code == 0, done.err
    steps = sorted(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert steps == [2 * 3, 3 * 3]  # 24 train examples in steps of 8


def test_history_has_one_record_per_epoch_with_every_term(finished):
    history = history_of(finished)
    assert [record["epoch"] for record in history] == list(range(1, EPOCHS + 1))
    assert [record["step"] for record in history] == [6 * e for e in range(1, EPOCHS + 1)]
    for record in history:
        assert {"loss", "reconstruction", "sparsity", "gradient_norm"} <= record.keys()
        assert record["validation"].keys() == {"loss", "reconstruction", "sparsity"}
    assert history[-1]["validation"]["loss"] < history[0]["validation"]["loss"]


def test_tensorboard_scalars_equal_the_history(finished):
    found, history = scalars(finished / "tensorboard"), history_of(finished)
    for tag, values in {
        "train/loss": [record["loss"] for record in history],
        "train/sparsity": [record["sparsity"] for record in history],
        "validation/loss": [record["validation"]["loss"] for record in history],
    }.items():
        assert found[tag] == [
            (record["step"], np.float32(value))
            for record, value in zip(history, values, strict=True)
        ]


def test_metrics_equal_scikit_learn_pca_and_the_reconstructions(finished, aejax):
    from sklearn.decomposition import PCA

    metrics = json.loads((finished / "metrics.json").read_text())
    x = load_digits().data / 16
    test = np.arange(len(x)) % 5 == 4
    pca = PCA(12, svd_solver="full").fit(x[~test])
    lost = pca.inverse_transform(pca.transform(x[test])) - x[test]
    assert metrics["test_examples"] == test.sum() == 359
    assert metrics["code"] == 12
    assert metrics["pca_test_error"] == pytest.approx(np.mean(np.sum(lost**2, axis=1)), rel=1e-6)
    assert metrics["pca_method"] == "exact"


def test_progress_bar_is_shown_on_stderr_unless_quiet(run, aejax, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich treat stderr as a terminal
    shown = aejax(f"train --resume --epochs {EPOCHS + 1} --out", run)
    assert shown.code == 0
    assert f"{EPOCHS + 1}/{EPOCHS + 1}" in shown.err
    assert "examples/s" in shown.err
    assert "PCA, 12 components" in shown.out
    quiet = aejax("train --quiet --resume --out", run)
    assert (quiet.code, quiet.err) == (0, "")


def test_a_log_file_gets_lines_and_no_bar(tmp_path, small, aejax):
    outcome = aejax(
        f"train --data {small} --sizes 6 2 --batch-size 8 --epochs 2 --validation 0 --tied "
        f"--save-every 2 --out {tmp_path / 'run'}"
    )
    assert outcome.code == 0
    lines = [line.partition(":")[0] for line in outcome.err.splitlines()]
    assert lines == ["epoch 1/2", "epoch 2/2"]
    assert "\x1b" not in outcome.out + outcome.err
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["6"]


def test_patience_stops_the_run_early(tmp_path, small, aejax):
    outcome = aejax(
        f"train --data {small} --sizes 6 2 --batch-size 8 --validation 0.25 --patience 2 "
        f"--optimizer sgd --learning-rate 1e-30 --epochs 50 --save-every 1 --out {tmp_path / 'run'}"
    )  # the learning rate is too low to improve on the first epoch
    assert outcome.code == 0
    assert len(history_of(tmp_path / "run")) == 3
    assert len(list((tmp_path / "run/checkpoints").iterdir())) == 3


def test_cosine_schedule_decays_over_the_run(tmp_path, small, aejax):
    aejax(
        f"train --data {small} --sizes 6 2 --batch-size 8 --epochs 4 --validation 0 "
        f"--schedule cosine --warm-up 0 --keep 4 --save-every 1 --out {tmp_path / 'run'}"
    )
    saved = sorted(int(path.name) for path in (tmp_path / "run/checkpoints").iterdir())
    params = [open_run(tmp_path / "run", checkpoint=step).params for step in saved]
    first, *_, last = (
        optax.tree.norm(optax.tree.sub(after, before)) for before, after in pairwise(params)
    )
    assert (
        last < 0.2 * first
    )  # the length of Adam's steps is the learning rate, which decays to zero


def test_a_cosine_run_is_not_resumed_with_other_epochs(run, tmp_path, aejax):
    (run / "digests.json").unlink()
    path = run / "configuration.json"
    settings = json.loads(path.read_text()) | {"schedule": "cosine", "warm_up": 4.0}
    path.write_text(json.dumps(settings))
    repeat = f"aejax train --from {run} --epochs 3 --warm-up 0.3 --out ANOTHER"
    words = f"the cosine schedule of {run} ends at epoch 6, got --epochs 3: repeat the run with"
    outcome = aejax("train --quiet --resume --epochs 3 --out", run)
    check(outcome, f"{words} {repeat}")
    assert parsed(repeat.split()[1:]).training.warm_up == 0.3


def test_pca_of_large_data_is_randomised_or_skipped(run, aejax, monkeypatch):
    """The error is within 0.1 % of the exact one; metrics, output and report name the method."""
    exact = json.loads((run / "metrics.json").read_text())["pca_test_error"]
    monkeypatch.setattr("aejax.theory.analysis.truncated_pca.MAX_EXACT_SIZE", 20)
    again = aejax("train --quiet --resume --out", run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["pca_test_error"] == pytest.approx(exact, rel=1e-3)
    assert metrics["pca_method"].startswith("randomised, ")
    assert f"(randomised, {metrics['pca_method'].split()[1]} passes)" in again.out
    summary = report._summary(open_run(run), run)
    assert summary[f"PCA with 12 components ({metrics['pca_method']})"] == metrics["pca_test_error"]
    skipped = aejax("train --quiet --resume --no-pca --out", run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["pca_test_error"], metrics["pca_method"]) == (None, "skipped")
    assert "PCA: skipped" in skipped.out


@pytest.mark.parametrize("stream", [False, True])
def test_fewer_examples_than_default_batch_size_form_one_batch(aejax, tmp_path, stream):
    small = tmp_path / "small.npy"
    np.save(small, np.random.default_rng(0).random((9, 6)))
    out, words = tmp_path / "run", ["--stream"] if stream else []
    sizes = ["--sizes", 6, 2, "--epochs", 1, "--schedule", "constant", "--quiet", "--no-pca"]
    assert aejax("train", "--data", small, *sizes, *words, "--out", out).code == 0
    assert json.loads((out / "configuration.json").read_text())["batch_size"] == 7  # 9 - 1 - 1
    assert history_of(out)[0]["step"] == 1
    assert aejax("train", "--resume", "--out", out, "--epochs", 2, "--quiet").code == 0
    assert aejax("train", "--from", out, "--out", tmp_path / "again", "--quiet").code == 0
