"""Error messages of failed runs, without additional output from threads."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tensorstore

from aejax.runs.error_messages import explain_errors


def raise_in_destructor(in_another_thread: bool = True) -> None:
    """Complete a TensorStore write after the event loop that waits for it has been closed."""
    promise, future = tensorstore.Promise.new()

    async def wait() -> None:
        await future

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    waiting._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
    loop.close()
    if in_another_thread:
        thread = threading.Thread(target=promise.set_result, args=(None,))
        thread.start()
        thread.join()
    else:
        promise.set_result(None)


@pytest.fixture
def unraisable(monkeypatch):
    """Messages of the errors passed to `sys.unraisablehook`."""
    messages = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: messages.append(str(error.exc_value)))
    return messages


def test_orbax_closed_event_loop_is_silenced(tmp_path, unraisable):
    raise_in_destructor()
    assert unraisable == ["Event loop is closed"]
    with explain_errors(tmp_path):
        raise_in_destructor()
    assert len(unraisable) == 1


def test_other_unraisable_errors_are_reported(tmp_path, unraisable):
    class Broken:
        def __del__(self) -> None:
            raise RuntimeError("broken")

    with explain_errors(tmp_path):
        raise_in_destructor(in_another_thread=False)
        thread = threading.Thread(target=Broken)
        thread.start()
        thread.join()
    assert unraisable == ["Event loop is closed", "broken"]


OUT_OF_ROOM = """
import atexit, os, sys, threading
from aejax.cli import main as command
from aejax.runs.error_messages import explain_errors, interruptible
from aejax.cli.commands import train as program
from tests.runs.test_error_messages import raise_in_destructor

def train(given):
    atexit.register(lambda: open("/dev/full", "w").write("what is left to be written"))
    atexit.register(raise_in_destructor)
    with interruptible(given.out), explain_errors(given.out):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")

program.train = train
raise SystemExit(command(["train", "--out", "run", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("option", [[], ["--debug"]])
def test_full_disk_ends_run_with_two_lines(tmp_path, option):
    """Exit handlers and threads add no output."""
    process = subprocess.run(
        [sys.executable, "-c", OUT_OF_ROOM, *option],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    *before, first, second = process.stderr.splitlines()
    assert process.returncode == 2
    assert first == "aejax: run: No space left on device"
    assert second == "Free some space, then start the run again"
    assert ("Traceback (most recent call last):" in before) == bool(option)
    assert bool(before) == bool(option)
