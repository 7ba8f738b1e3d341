"""Runs on a mesh, in one or two processes, equal the run on one device; one process writes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.cli.conftest import SETTINGS, check, history_of

LINE = "train --data digits.npy --sizes 64 16 --corruption masking --batch-size 128 --quiet"


def values(run: Path) -> list[float]:
    return [record["loss"] for record in history_of(run)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--processes 2", "say --mesh data or --mesh sharded"),
        ("--processes 2 --mesh data", "say --coordinator HOST:PORT"),
        ("--model 2", "say --mesh data"),
        ("--mesh data --model 3", "model must divide the number of devices, 1, got 3"),
    ],
)
def test_invalid_device_options_are_refused(tmp_path, aejax, words, complaint):
    check(aejax(f"{SETTINGS} --epochs 1 {words} --out", tmp_path / "run"), complaint)
    assert not (tmp_path / "run").exists()


def test_invalid_integer_in_environment_is_refused(tmp_path, aejax, monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "localhost:1")
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    words = f"{SETTINGS} --epochs 1 --mesh data --out"
    message = "JAX_NUM_PROCESSES must be a non-negative integer, got 'two'"
    check(aejax(words, tmp_path / "run"), message)


def test_mesh_of_one_device_equals_no_mesh(finished, tmp_path, aejax):
    out = tmp_path / "run"
    assert aejax(f"{SETTINGS} --epochs 2 --mesh sharded --out", out).code == 0
    np.testing.assert_allclose(values(out), values(finished)[:2], rtol=1e-5)


def start(folder: Path, process: int, port: int, *words: str) -> subprocess.Popen:
    """Start one of two processes with two devices each."""
    program = [sys.executable, "-c", "from aejax.cli import main; raise SystemExit(main())"]
    together = f"--mesh data --coordinator localhost:{port} --processes 2 --process-id {process}"
    return subprocess.Popen(
        [*program, *words, *together.split(), "--out", "two"],
        cwd=folder,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def two(folder: Path, *words: str) -> list[subprocess.Popen]:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    return [start(folder, process, port, *words) for process in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["", "--stream"])
def test_two_processes_equal_one_and_only_the_first_writes(tmp_path, aejax, monkeypatch, stream):
    monkeypatch.chdir(tmp_path)
    np.save("digits.npy", load_digits().images.astype(np.uint8))
    line = f"{LINE} {stream} --epochs 12"
    assert aejax(f"{line} --out one").code == 0

    running = two(tmp_path, *line.split())
    while not Path("two/history.jsonl").exists():  # training has started
        time.sleep(0.1)
        assert running[0].poll() is None, running[0].communicate()
    running[1].send_signal(signal.SIGTERM)  # one process receives it, both stop
    ended = [process.communicate(timeout=300) for process in running]
    codes = [process.returncode for process in running]
    assert codes == [143, 143] or codes == [0, 0], ended
    if codes == [143, 143]:
        running = two(tmp_path, "train", "--resume")
        ended = [process.communicate(timeout=300) for process in running]
        assert [process.returncode for process in running] == [0, 0], ended
    assert ended[0][0]
    # Gloo, which exchanges CPU arrays, prints on the standard output of both processes.
    assert "run: two" in ended[0][0]
    assert not {"autoencoder", "PCA", "run:"} & set(ended[1][0].replace(",", " ").split())
    np.testing.assert_allclose(values(Path("two")), values(Path("one")), rtol=1e-4)
    metrics = [json.loads(Path(run, "metrics.json").read_text()) for run in ("one", "two")]
    assert metrics[0]["test_error"] == pytest.approx(metrics[1]["test_error"], rel=1e-3)
    assert len(list(Path("two/tensorboard").iterdir())) <= 2
