"""A run that fails says so in its own words, and what fails in threads meanwhile adds none."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import tensorstore

from aejax.cli.process.error_messages import explain_errors


def raise_in_destructor(thread_of_its_own: bool = True) -> None:
    """End a write of TensorStore after the event loop was closed in which it was waited for."""
    promise, future = tensorstore.Promise.new()

    async def wait() -> None:
        await future

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    waiting._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
    loop.close()
    if thread_of_its_own:
        thread = threading.Thread(target=promise.set_result, args=(None,))
        thread.start()
        thread.join()
    else:
        promise.set_result(None)


@pytest.fixture
def unraisable(monkeypatch):
    """What Python was told of errors that nothing can catch."""
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: told.append(str(error.exc_value)))
    return told


def test_orbax_closed_loop_is_no_news(tmp_path, unraisable):
    raise_in_destructor()
    assert unraisable == ["Event loop is closed"]
    with explain_errors(tmp_path):
        raise_in_destructor()
    assert len(unraisable) == 1


def test_any_other_error_that_cannot_be_raised_is_told(tmp_path, unraisable):
    class Broken:
        def __del__(self) -> None:
            raise RuntimeError("broken")

    with explain_errors(tmp_path):
        raise_in_destructor(thread_of_its_own=False)
        thread = threading.Thread(target=Broken)
        thread.start()
        thread.join()
    assert unraisable == ["Event loop is closed", "broken"]


OUT_OF_ROOM = """
import atexit, os, sys, threading
from aejax.cli import main as command
from aejax.cli.process.error_messages import explain_errors, interruptible
from aejax.cli.commands.train import Train
from tests.cli.process.test_error_messages import raise_in_destructor
program = sys.modules["aejax.cli.main"]

def train(given):
    atexit.register(lambda: open("/dev/full", "w").write("what is left to be written"))
    atexit.register(raise_in_destructor)
    with interruptible(given.out), explain_errors(given.out):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")

program.ACTIONS[Train] = train
raise SystemExit(command(["train", "--out", "run", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("option", [[], ["--debug"]])
def test_a_run_without_room_says_two_lines_and_ends(tmp_path, option):
    """Not one more by what exit handlers or threads have still to write."""
    process = subprocess.run(
        [sys.executable, "-c", OUT_OF_ROOM, *option],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    *before, first, second = process.stderr.splitlines()
    assert process.returncode == 2
    assert first == "aejax: run: No space left on device"
    assert second == "Free some space, then start the run again"
    assert ("Traceback (most recent call last):" in before) == bool(option)
    assert bool(before) == bool(option)
