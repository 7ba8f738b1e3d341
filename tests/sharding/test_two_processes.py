"""Two processes with `jax.distributed` on loopback: equality with one process, and failure."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from aejax import Batch, checkpoints, runs, training
from tests.sharding.two_processes import DEATH, EPOCHS, OBJECTIVE, OPTIMIZER, X

pytestmark = pytest.mark.slow

PROMPTLY = 30
"""Time limit in seconds for a process to end after the other has died."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def run(folder: Path, task: str) -> list[subprocess.CompletedProcess]:
    """Run both processes with two virtual devices each, and return their results."""
    port = free_port()
    command = [sys.executable, "-m", "tests.sharding.two_processes"]
    running = [
        subprocess.Popen(
            [*command, str(process), str(port), str(folder), task],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"JAX_NUM_CPU_DEVICES": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    if task == "lose one":
        running[1].wait(timeout=300)
        begin = time.monotonic()
        running[0].wait(timeout=PROMPTLY)
        assert time.monotonic() - begin < PROMPTLY
    said = [process.communicate(timeout=300) for process in running]
    return [
        subprocess.CompletedProcess(command, process.returncode, *streams)
        for process, streams in zip(running, said, strict=True)
    ]


def losses_of(ended: list[subprocess.CompletedProcess]) -> list[float]:
    for each in ended:
        assert each.returncode == 0, each.stderr
    first, second = (json.loads(each.stdout.splitlines()[-1]) for each in ended)
    assert first == second
    assert (first["processes"], first["devices"]) == (2, 4)
    return first["losses"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two") / "checkpoints"


@pytest.fixture(scope="module")
def together(folder):
    return losses_of(run(folder, "train"))


@pytest.fixture(scope="module")
def alone():
    return training.fit(
        OBJECTIVE, OPTIMIZER, Batch(X), key=jax.random.key(0), epochs=EPOCHS, batch_size=16
    )


def test_200_steps_of_two_processes_equal_those_of_one(together, alone):
    state, history = alone
    assert int(state.step) == 200
    np.testing.assert_allclose(together, [record["loss"] for record in history], rtol=1e-5)


def test_their_checkpoint_is_restored_in_one_process(together, folder, alone):
    assert together
    state, _ = alone
    restored, _ = checkpoints.restore(folder, state)
    assert int(restored.step) == 200
    for found, expected in zip(
        jax.tree.leaves(restored.params), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_death_of_one_process_ends_the_other_and_keeps_the_checkpoint(tmp_path, together):
    survivor, dead = run(tmp_path / "run", "lose one")
    assert dead.returncode == -signal.SIGKILL
    assert survivor.returncode == 1
    assert "lost another process: restart all of them" in survivor.stderr
    assert DEATH > 5
    assert checkpoints.steps(tmp_path / "run") == [10]
    assert checkpoints.newest_intact_step(tmp_path / "run") == 10
    assert losses_of(run(tmp_path / "run", "go on")) == together[5:]


def test_each_process_loads_only_its_share(tmp_path, together, alone):
    """The results are those of processes that have all examples, and so is the fingerprint."""
    np.save(tmp_path / "uneven.npy", X[:19])
    found = []
    for each in run(tmp_path, "divided"):
        assert each.returncode == 0, each.stderr
        found.append(json.loads(each.stdout.splitlines()[-1]))
    errors = [answer.pop("error") for answer in found]
    assert found[0] == found[1]
    assert found[0]["losses"] == together
    _, history = training.fit(
        OBJECTIVE, OPTIMIZER, Batch(X[:19]), key=0, epochs=2, batch_size=16, validation=X
    )
    losses = [record["loss"] for record in history]
    np.testing.assert_allclose(found[0]["uneven"], losses, rtol=1e-5)
    np.testing.assert_allclose(
        found[0]["run"], [record["loss"] for record in alone[1][:2]], rtol=1e-5
    )
    assert errors == [
        "x has NaN or infinity: see the error of process 1; clean the data",
        "x has NaN or infinity: 1 of 240, first nan at index (13, 2); clean the data",
    ]
    options = {"out": tmp_path / "run", "key": 0, "batch_size": 16, "loggers": []}
    resumed = runs.train(OBJECTIVE, OPTIMIZER, Batch(X), epochs=3, resume=True, **options)
    assert len(resumed.history) == 3
