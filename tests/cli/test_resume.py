"""Resumed and repeated runs are bit-identical to uninterrupted runs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from aejax.runs.lock import locked
from tests.cli.conftest import EPOCHS, SETTINGS, check, history_of, state_of

KILLED = (
    "train --data digits.npy --sizes 64 8 --corruption masking --penalty.sparsity 0.1 --clip 5 "
    "--schedule cosine --batch-size 512 --epochs 16 --keep 2 --save-every 1 --out"
)


def test_resumed_run_equals_uninterrupted_run(finished, tmp_path, aejax):
    out = tmp_path / "run"
    assert aejax(f"{SETTINGS} --epochs 3 --out", out).code == 0
    assert aejax(f"train --resume --epochs {EPOCHS} --out", out).code == 0
    assert state_of(out) == state_of(finished)
    assert history_of(out) == history_of(finished)


def test_resuming_starts_a_run_that_does_not_exist_yet(finished, tmp_path, aejax):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "job.log").touch()
    words = f"{SETTINGS} --epochs {EPOCHS} --resume --out"
    first = aejax(words, tmp_path / "run")
    assert first.code == 0
    assert f"aejax: {tmp_path}/run contains no run yet, which starts\n" in first.err
    assert state_of(tmp_path / "run") == state_of(finished)
    again = aejax(words, tmp_path / "run")
    assert (again.code, "starts" in again.err) == (0, False)
    assert history_of(tmp_path / "run") == history_of(finished)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--resume --out", "other is not a run: to start it, say --data too"),
        ("--resume --data digits --checkpoint 6 --out", "has no checkpoint to resume from"),
        ("--resume --data digits --recipe denoising --out", "--recipe cannot be combined"),
    ],
)
def test_a_command_that_cannot_start_a_run_only_resumes(tmp_path, aejax, words, message):
    check(aejax(f"train {words}", tmp_path / "other"), message)
    assert not (tmp_path / "other").exists()


def test_suggested_checkpoint_after_damage_gives_the_same_result(finished, run, aejax):
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    with (newest / "state/manifest.ocdbt").open("r+b") as file:
        file.truncate(10)
    refused = aejax("train --resume --out", run)
    assert refused.code == 2
    assert f"{newest} is damaged: state/manifest.ocdbt is not what was written" in refused.err
    offered = refused.err.partition("(")[2].partition(")")[0]
    assert offered == f"--checkpoint {int(newest.name) - 6}"
    assert aejax("train --resume --out", run, offered).code == 0
    assert state_of(run) == state_of(finished)
    assert history_of(run) == history_of(finished)


def test_run_killed_before_its_first_checkpoint_restarts(run, aejax, monkeypatch):
    from aejax import checkpoints

    (run / "checkpoints.json").unlink()  # it is written after the first checkpoint
    for step in checkpoints.steps(run / "checkpoints"):
        (run / "checkpoints" / str(step)).rename(run / "checkpoints" / f"{step}.partial")
    epochs = []
    monkeypatch.setattr("aejax.training.fit", lambda *_, state, **__: epochs.append(state.epoch))
    aejax("train --resume --out", run)  # it ends in an error: nothing was fitted
    assert [int(epoch) for epoch in epochs] == [0]
    assert history_of(run) == []


def start(*more: str) -> subprocess.Popen:
    words = [sys.executable, "-c", "from aejax.cli import main; raise SystemExit(main())"]
    return subprocess.Popen([*words, *KILLED.split(), *more], stdout=subprocess.DEVNULL)


def kill(process: subprocess.Popen, history: Path, lines: int, delay: float) -> None:
    """Kill a process with SIGKILL after a number of epochs and a delay."""
    while not (history.exists() and len(history.read_bytes().splitlines()) >= lines):
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.005)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow  # tests/faults kills runs in the default suite
def test_run_killed_three_times_equals_uninterrupted_run(
    tmp_path, aejax, monkeypatch, compiled_once
):
    monkeypatch.chdir(tmp_path)
    for name, value in compiled_once.items():
        monkeypatch.setenv(name, value)
    np.save("digits.npy", load_digits().images)
    assert aejax(KILLED, "whole").code == 0
    chance, out, more = random.Random(2), Path("killed"), []
    for lines in (2, 6, 10):
        kill(start("killed", *more), out / "history.jsonl", lines, chance.uniform(0, 0.2))
        more = ["--resume"]
    assert len(history_of(out)) < 16
    assert start("killed", "--resume").wait() == 0
    assert state_of(out.absolute()) == state_of(Path("whole").absolute())
    assert history_of(out) == history_of(Path("whole"))
    assert Path("killed/metrics.json").read_text() == Path("whole/metrics.json").read_text()


def test_repeated_run_is_bit_identical(finished, tmp_path, aejax):
    again = aejax("train --from", finished, "--out", tmp_path / "again")
    assert again.code == 0
    assert "may differ" not in again.err
    assert state_of(tmp_path / "again") == state_of(finished)
    assert history_of(tmp_path / "again") == history_of(finished)
    for name in ("metrics.json", "configuration.json", "about.json"):
        assert (tmp_path / "again" / name).read_text() == (finished / name).read_text()


def test_repeating_refuses_other_data_and_warns_of_another_environment(run, tmp_path, aejax):
    about = json.loads((run / "about.json").read_text())
    about["environment"]["jax"] = "0.0.1"
    (run / "about.json").write_text(json.dumps(about))
    (run / "digests.json").unlink()
    out = tmp_path / "again"
    elsewhere = aejax("train --epochs 1 --from", run, "--out", out)
    assert elsewhere.code == 0
    assert "aejax: the results may differ in the last bits: jax was 0.0.1, now" in elsewhere.err
    (run / "about.json").write_text(json.dumps(about | {"fingerprint": "0"}))
    check(aejax("train --from", run, "--out", tmp_path / "other"), "not the data of the run")
    check(
        aejax("train --resume --from", run, "--out", out),
        "--from | --resume | use only one of them",
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_run_after_saving_the_epoch(finished, tmp_path, aejax, monkeypatch, number):
    """The signal arrives in epoch 2 of 6; checkpoints are due every fifth epoch."""
    from aejax.runs import recording

    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    measured = recording.history_writer

    @contextmanager
    def signalled(*arguments):
        with measured(*arguments) as record_epoch:

            def record_and_signal(state, record):
                record_epoch(state, record)
                if record["epoch"] == 2:
                    os.kill(os.getpid(), number)

            yield record_and_signal

    out = tmp_path / "run"
    monkeypatch.setattr(recording, "history_writer", signalled)
    stopped = aejax(f"{SETTINGS} --epochs {EPOCHS} --save-every 5 --out", out)
    assert stopped.code == 128 + number
    assert f"{number.name}: stopped after epoch 2 of {EPOCHS}, which is saved" in stopped.err
    assert handlers == {each: signal.getsignal(each) for each in handlers}
    monkeypatch.undo()
    words = stopped.err.partition("resume with: aejax ")[2]
    assert aejax(words.strip()).code == 0
    assert state_of(out) == state_of(finished)
    assert history_of(out) == history_of(finished)


def test_concurrent_run_in_the_same_folder_is_refused(run, aejax):
    """flock belongs to an open file, so a second lock is refused within one process too."""
    with locked(run):
        check(aejax("train --resume --out", run), "another run is writing to | --out")
    assert aejax("train --resume --out", run).code == 0
