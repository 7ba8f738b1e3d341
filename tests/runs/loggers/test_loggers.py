"""Loggers: no repeated steps after a kill and a resume, images, hyperparameters, and failures."""

import importlib.util
import io
import json
import struct
from pathlib import Path

import numpy as np
import optax
import pandas as pd
import pytest
from PIL import Image

import aejax
from aejax import losses, runs, training
from aejax.runs import loggers
from aejax.runs.loggers.logging_contexts import check_loggers
from aejax.runs.loggers.tracked_runs import explained
from tests.tensorboard_events import read_events

X = np.random.default_rng(0).random((40, 4, 5)).astype(np.float32)
DENSE = aejax.dense((20, 3))
OBJECTIVE = aejax.objective(
    aejax.Autoencoder(
        DENSE.init,
        encode=lambda params, x: DENSE.encode(params, x.reshape(len(x), 20)),
        decode=lambda params, code: DENSE.decode(params, code).reshape(-1, 4, 5),
    ),
    losses.bernoulli,
)
SETTINGS = {"rate": 0.01, "sizes": [20, 3], "tied": False, "name": "mine"}
EPOCHS, KILLED, SAVE_EVERY = 6, 4, 3


class Killed(BaseException):
    """Ends a process, other than an error that a logger may have."""


def kill(_, record):
    if record["epoch"] == KILLED:
        raise Killed


def train(out, *own, epochs=EPOCHS):
    return runs.train(
        *(OBJECTIVE, optax.adam(1e-2), X),
        out=out,
        epochs=epochs,
        key=0,
        resume=True,
        save_every=SAVE_EVERY,
        validation=X[:8],
        batch_size=20,
        loggers=own,
    )


def killed_and_resumed(out, make):
    """Train; the process dies after the loggers have seen epoch 4, of which epoch 3 is saved."""
    with pytest.raises(Killed):
        train(out, make(), kill)
    return train(out, make())


def test_a_csv_table_has_every_epoch_once(tmp_path):
    path = tmp_path / "tables" / "epochs.csv"
    run = killed_and_resumed(tmp_path / "run", lambda: loggers.csv(path))
    found = pd.read_csv(path)
    assert found.epoch.tolist() == list(range(1, EPOCHS + 1))
    for column, values in {
        "step": [record["step"] for record in run.history],
        "train/loss": [record["loss"] for record in run.history],
        "validation/loss": [record["validation"]["loss"] for record in run.history],
    }.items():
        np.testing.assert_array_equal(found[column], values)


def test_a_csv_table_drops_a_line_that_was_cut_and_takes_new_columns(tmp_path):
    path = tmp_path / "epochs.csv"
    path.write_text("epoch,step,train/loss\n1,2,0.5\n2,4,0.25\n3,6")
    state = training.init_state(OBJECTIVE, optax.adam(1e-2), 0)
    with loggers.csv(path) as log:
        log(state, {"epoch": 3, "step": 6, "loss": 0.125})
        log(state, {"epoch": 4, "step": 8, "loss": 0.0625, "new": 1.0})
    found = pd.read_csv(path)
    assert found["train/loss"].tolist() == [0.5, 0.25, 0.125, 0.0625]
    assert found["train/new"].tolist()[3:] == [1.0]
    path.write_text("name,size\na,3\n")
    with pytest.raises(ValueError, match=r"epochs.csv is no table of aejax.runs.loggers.csv"):
        loggers.csv(path).__enter__()


def with_images():
    """Options of a logger that receives the images of every second epoch."""
    return {"images": {"rows": loggers.reconstructions(OBJECTIVE, X[:3])}, "every": 2}


def check_last_image(run, file):
    """Compare an image with the examples above the reconstructions after the last epoch."""
    final = runs.open(run.folder, OBJECTIVE, checkpoint=run.history[-1]["step"])
    rows = np.vstack([np.hstack(X[:3]), np.hstack(runs.reconstruct(final, X[:3]))])
    low, high = X[:3].min(), X[:3].max()
    expected = np.clip((rows - low) / (high - low), 0, 1) * 255
    with Image.open(file) as image:
        found = np.asarray(image).reshape(8, 15, -1)[:, :, 0]
    np.testing.assert_allclose(found, expected, atol=1.5)


def test_tensorboard_has_scalars_images_and_hyperparameters(tmp_path):
    run = killed_and_resumed(
        tmp_path / "run",
        lambda: loggers.tensorboard(
            tmp_path / "events",
            hyperparameters=SETTINGS,
            **with_images(),
        ),
    )
    found = read_events(tmp_path / "events")
    values = [(event.step, value) for event in found for value in event.summary.value]
    losses = [(step, value.simple_value) for step, value in values if value.tag == "train/loss"]
    assert losses == [(record["step"], np.float32(record["loss"])) for record in run.history]
    images = {step: value.image for step, value in values if value.tag == "rows"}
    assert list(images) == [record["step"] for record in run.history if record["epoch"] % 2 == 0]
    check_last_image(run, io.BytesIO(images[run.history[-1]["step"]].encoded_image_string))
    texts = b"".join(value.metadata.plugin_data.content for _, value in values)
    assert all(name.encode() in texts for name in (*SETTINGS, "mine", "[20, 3]"))


def test_without_loggers_the_run_has_tensorboard_events(tmp_path):
    run = runs.train(OBJECTIVE, optax.adam(1e-2), X, out=tmp_path / "run", epochs=1, key=0)
    tags = [
        value.tag
        for event in read_events(run.folder / "tensorboard")
        for value in event.summary.value
    ]
    assert "train/loss" in tags


@pytest.mark.filterwarnings("always")
def test_a_logger_that_fails_loses_neither_checkpoint_nor_other_loggers(tmp_path):
    seen = []

    def offline(_, record):
        seen.append(record["epoch"])
        if record["epoch"] == 2:
            raise ConnectionError("no network")

    path = tmp_path / "epochs.csv"
    with pytest.warns(RuntimeWarning, match="logger offline failed at epoch 2 .*no network"):
        run = train(tmp_path / "run", offline, loggers.csv(path))
    assert seen == [1, 2]
    assert len(run.history) == len(pd.read_csv(path)) == EPOCHS
    whole = train(tmp_path / "whole")
    np.testing.assert_array_equal(runs.encode(run, X), runs.encode(whole, X))


def test_a_logger_serves_fit_too_and_once(tmp_path):
    log = loggers.csv(tmp_path / "epochs.csv")
    with log as callback:
        training.fit(OBJECTIVE, optax.adam(1e-2), X, epochs=2, key=0, callbacks=[callback])
    assert len(pd.read_csv(tmp_path / "epochs.csv")) == 2
    with pytest.raises(ValueError, match="was used before: make a new one for each training"):
        train(tmp_path / "run", log)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([loggers.tensorboard("events", every=0)], "every must be at least 1, got 0"),
        ([loggers.tensorboard("events", hyperparameters={"f": len})], "f is no JSON value"),
    ],
)
def test_bad_loggers_are_refused(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        runs.train(OBJECTIVE, optax.adam(1e-2), X, out="run", epochs=1, key=0, loggers=given)
    for wrong in ("csv", [3], 3):
        with pytest.raises(ValueError, match="loggers must be a list of functions"):
            check_loggers(wrong)
    with pytest.raises(ValueError, match="image_shape must be"):
        loggers.reconstructions(OBJECTIVE, X.reshape(40, 20))


def needs(package: str):
    reason = f"{package} is not installed: pip install {package}"
    return pytest.mark.skipif(
        importlib.util.find_spec(package.split("-")[0]) is None, reason=reason
    )


def transactions(path: Path) -> list[bytes]:
    """Records of W&B's log file: a header, then parts in blocks of 32 KiB, as in LevelDB."""
    content, position, found, pending = path.read_bytes(), 7, [], b""
    while position + 7 <= len(content):
        left = 2**15 - position % 2**15
        if left < 7:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        pending += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # the whole record, or its last part
            found.append(pending)
            pending = b""
    return found


@needs("wandb")
@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_receives_every_step_once_offline(tmp_path):
    from wandb.proto.wandb_internal_pb2 import Record

    out = tmp_path / "run"
    options = {"project": "tests", "mode": "offline", "hyperparameters": SETTINGS}
    run = killed_and_resumed(out, lambda: loggers.wandb(out, **options, **with_images()))
    losses, identities, settings, images = [], set(), {}, {}
    paths = [*out.glob("wandb/offline-run-*/*.wandb")]
    for record in map(Record.FromString, (data for path in paths for data in transactions(path))):
        items = {
            item.key or "/".join(item.nested_key): json.loads(item.value_json)
            for item in record.history.item
        }
        if "train/loss" in items:
            losses.append((items["_step"], items["train/loss"]))
        if "rows/path" in items:
            images[items["_step"]] = items["rows/path"]
        if record.run.run_id:
            identities.add(record.run.run_id)
            settings |= {item.key: item.value_json for item in record.run.config.update}
    assert len(paths) == 2
    assert sorted(losses) == [(record["step"], record["loss"]) for record in run.history]
    assert identities == {json.loads((out / "wandb.json").read_text())["identity"]}
    assert json.loads(settings["rate"]) == SETTINGS["rate"]
    drawn = [record["step"] for record in run.history if record["epoch"] % 2 == 0]
    assert sorted(images) == drawn
    (last,) = out.glob(f"wandb/offline-run-*/files/{images[drawn[-1]]}")
    check_last_image(run, last)


@needs("mlflow-skinny")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_receives_every_step_once(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)  # the folder of its artifacts
    out, store = tmp_path / "run", f"sqlite:///{tmp_path}/mlflow.db"
    options = {"tracking_uri": store, "hyperparameters": SETTINGS, "run_name": "mine"}
    run = killed_and_resumed(out, lambda: loggers.mlflow(out, **options, **with_images()))
    client = MlflowClient(store)
    identity = json.loads((out / "mlflow.json").read_text())["identity"]
    found = client.get_metric_history(identity, "validation/loss")
    expected = [(record["step"], record["validation"]["loss"]) for record in run.history]
    assert [(metric.step, metric.value) for metric in found] == expected
    stored = client.get_run(identity)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "mine")
    assert stored.data.params == {name: str(value) for name, value in SETTINGS.items()}
    paths = [each.path for each in client.list_artifacts(identity, "images")]
    images = [path for path in paths if path.endswith(".png")]
    assert len(images) == EPOCHS // 2
    step = run.history[-1]["step"]
    (last,) = (path for path in images if path.startswith(f"images/rows+step+{step}+"))
    check_last_image(run, client.download_artifacts(identity, last, str(tmp_path)))


def test_a_tracker_that_cannot_start_gives_advice():
    with (
        pytest.raises(ConnectionError, match="W&B cannot start this run: no network; log in"),
        explained("W&B", "log in"),
    ):
        raise RuntimeError("no network\nmore")
