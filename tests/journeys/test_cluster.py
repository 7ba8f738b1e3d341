"""Journey 9: a job of a cluster, with a log instead of a terminal, stopped and queued again."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.cli.conftest import history_of, state_of
from tests.journeys.journey import Journey, environment, run, timed, write

JOB = """
#!/bin/bash
#SBATCH --time=04:00:00 --signal=TERM@120 --requeue --open-mode=append
srun aejax train --resume --data digits.npy --sizes 64 32 8 --epochs 60 --out runs/job
status=$?
[ $status -eq 143 ] && scontrol requeue "$SLURM_JOB_ID"
exit $status
"""
"""A script that Slurm starts again until the training is complete."""

SRUN = """#!/bin/sh
echo $$ > step
exec "$@"
"""
SCONTROL = """#!/bin/sh
echo "$@" >> requeued
"""
COMMANDS = {"srun": SRUN, "scontrol": SCONTROL}
"""Commands of Slurm, which record the process of a step, and that a job is queued again."""


def start(journey: Journey, commands: Path, log) -> subprocess.Popen:
    """Start the job as Slurm does: in a session of its own, without a terminal."""
    variables = environment(journey, {"SLURM_JOB_ID": "17"})
    variables["PATH"] = os.pathsep.join([str(commands), variables["PATH"]])
    return subprocess.Popen(
        ["sh", "job.sh"],
        cwd=journey.folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def stop_after(journey: Journey, job: subprocess.Popen, limit: int) -> None:
    """Send SIGTERM to the step, as Slurm does before the time is over, after some epochs."""
    while epochs(journey) < limit:
        assert job.poll() is None
        time.sleep(0.02)
    os.kill(int((journey.folder / "step").read_text()), signal.SIGTERM)


def epochs(journey: Journey) -> int:
    history = journey.folder / "runs" / "job" / "history.jsonl"
    return len(history.read_bytes().splitlines()) if history.exists() else 0


@pytest.mark.slow
def test_a_job_is_stopped_and_queued_again(journey, tmp_path):
    np.save(journey.folder / "digits.npy", load_digits().data.astype(np.float32))
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, script in COMMANDS.items():
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    write(journey, "job.sh", JOB)
    log, requeued = journey.folder / "slurm-17.out", journey.folder / "requeued"
    with timed(journey), log.open("ab") as file:
        for stops, limit in enumerate((5, 20)):
            job = start(journey, commands, file)
            stop_after(journey, job, limit)
            assert job.wait(300) == 128 + signal.SIGTERM
            assert requeued.read_text().splitlines() == ["requeue 17"] * (stops + 1)
        assert start(journey, commands, file).wait(300) == 0
    assert len(requeued.read_text().splitlines()) == 2
    text = log.read_text(encoding="utf-8")
    assert text.count("SIGTERM: stopped after epoch") == 2
    assert "\r" not in text
    assert "\x1b" not in text
    assert "Traceback" not in text
    assert text.count("epoch 60/60: loss") == 1
    assert "run: runs/job" in text

    words = "--data digits.npy --sizes 64 32 8 --epochs 60"
    run(journey, ["aejax", "train", *words.split(), "--quiet", "--out", "runs/whole"])
    job, whole = (journey.folder / "runs" / name for name in ("job", "whole"))
    assert state_of(job) == state_of(whole)
    assert history_of(job) == history_of(whole)
    assert (job / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
