"""`aejax` in processes of its own, forked from one that has imported everything and run nothing.

So a process starts in a moment. None of what is imported here may start JAX's backends or threads,
which a fork would lose; what reads checkpoints does so in a process of its own too.
"""

import atexit
import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HEAVY = (
    "aejax.cli.main",
    "aejax.checkpoints",
    "orbax.checkpoint",
    "aejax.theory.analysis.covariance",
    "tensorboardX",
    "tensorstore",
)
PATIENCE = 300
"""Seconds after which a process that has not ended is taken for dead."""


class Child(NamedTuple):
    """A process that runs a command, and where its standard error goes."""

    pid: int
    errors: Path


class Ended(NamedTuple):
    """How a process ended: its exit code, or minus the signal's number; and what it said."""

    code: int
    said: str


def prepare() -> None:
    """Import what commands import, so that their processes need not."""
    for name in HEAVY:
        importlib.import_module(name)


def start(words: Sequence[str], folder: Path, *, before: Callable[[], None] | None = None) -> Child:
    """Run `aejax` with these words in a folder.

    Args:
        words: of the command line.
        folder: where it runs.
        before: called in the process first, as to set its limits.
    """

    def command() -> int:
        if before is not None:
            before()
        from aejax.cli import main

        return main(list(words))

    return _fork(command, folder)


def answer(question: Callable[[], Any], folder: Path) -> Any:
    """What a function returns in a process of its own, by way of JSON."""
    path = folder / f"answer-{time.monotonic_ns()}.json"

    def ask() -> int:
        path.write_text(json.dumps(question()))
        return 0

    ended = wait(_fork(ask, folder))
    if ended.code != 0:
        raise RuntimeError(ended.said)
    text = path.read_text()
    path.unlink()
    return json.loads(text)


def running(child: Child) -> bool:
    """Whether a process has not ended yet; it is left for `wait`."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def wait(child: Child) -> Ended:
    """How a process ended, once it has."""
    limit = time.monotonic() + PATIENCE
    while running(child):
        if time.monotonic() > limit:
            os.kill(child.pid, 9)
        time.sleep(0.002)
    _, status = os.waitpid(child.pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), child.errors.read_text())


def _fork(function: Callable[[], int], folder: Path) -> Child:
    errors = folder / f"errors-{time.monotonic_ns()}.txt"
    pid = os.fork()
    if pid:
        return Child(pid, errors)
    atexit._clear()  # the parent's exit handlers are not for us, but those that come are
    code = 1
    try:
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells silence it behind `&`
        null = os.open(os.devnull, os.O_WRONLY)
        said = os.open(errors, os.O_WRONLY | os.O_CREAT)
        os.dup2(null, 1)
        os.dup2(said, 2)
        code = function()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
