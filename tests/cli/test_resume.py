"""A run that stops and goes on ends as the run that never stopped: to the bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tests.cli.conftest import EPOCHS, SETTINGS, history_of, state_of

KILLED = (
    "train --data digits.npy --sizes 64 8 --corruption masking --penalty.sparsity 0.1 --clip 5 "
    "--schedule cosine --batch-size 512 --epochs 16 --keep 2 --out"
)


def test_three_epochs_and_three_more_are_six(finished, tmp_path, aejax):
    out = tmp_path / "run"
    assert aejax(f"{SETTINGS} --epochs 3 --out", out).code == 0
    assert aejax(f"train --resume --epochs {EPOCHS} --out", out).code == 0
    assert state_of(out) == state_of(finished)
    assert history_of(out) == history_of(finished)


def test_a_damaged_checkpoint_is_refused_and_the_one_offered_ends_the_same(finished, run, aejax):
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


def test_a_run_killed_before_its_first_checkpoint_starts_anew(run, aejax, monkeypatch):
    from aejax import checkpoints

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
    """Wait for so many epochs and a moment more; then leave no time to clean up."""
    while not (history.exists() and len(history.read_bytes().splitlines()) >= lines):
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.005)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_killed_three_times_it_ends_as_never_stopped(tmp_path, aejax, monkeypatch, compiled_once):
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
