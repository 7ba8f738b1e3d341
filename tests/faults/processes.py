"""Commands of aejax in forked processes, which start quickly because the parent has imported aejax.

Nothing imported here may start JAX's backends or threads, which do not survive a fork. For the same
reason, checkpoints are read in a forked process too.
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

PRELOADED_MODULES = (
    "aejax.cli.execution",
    "aejax.checkpoints",
    "orbax.checkpoint",
    "aejax.theory.analysis.covariance",
    "tensorboardX",
    "tensorstore",
)
TIMEOUT_SECONDS = 300
"""Time after which a process is killed."""


class Child(NamedTuple):
    """A process that runs a command, and the file of its standard error."""

    pid: int
    errors: Path


class Ended(NamedTuple):
    """Exit code of a process (minus the signal's number if killed), and its standard error."""

    code: int
    stderr: str


def prepare() -> None:
    """Import the modules that commands need, before processes are forked."""
    for name in PRELOADED_MODULES:
        importlib.import_module(name)


def start(
    arguments: Sequence[str], folder: Path, *, before: Callable[[], None] | None = None
) -> Child:
    """Start `aejax` with these arguments in a folder.

    Args:
        arguments: command-line arguments.
        folder: working directory.
        before: function called in the process first, e.g. to set its limits.
    """

    def command() -> int:
        if before is not None:
            before()
        from aejax.cli import main

        return main(list(arguments))

    return _fork(command, folder)


def call_in_process(function: Callable[[], Any], folder: Path) -> Any:
    """Call a function in a forked process; its result is returned as JSON."""
    path = folder / f"result-{time.monotonic_ns()}.json"

    def write_result() -> int:
        path.write_text(json.dumps(function()))
        return 0

    ended = wait(_fork(write_result, folder))
    if ended.code != 0:
        raise RuntimeError(ended.stderr)
    text = path.read_text()
    path.unlink()
    return json.loads(text)


def running(child: Child) -> bool:
    """Whether a process is still running; does not reap it."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def wait(child: Child) -> Ended:
    """Wait until a process ends."""
    limit = time.monotonic() + TIMEOUT_SECONDS
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
    atexit._clear()  # do not run the parent's exit handlers, only those registered from here on
    code = 1
    try:
        os.chdir(folder)
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # shells ignore it for background jobs
        null = os.open(os.devnull, os.O_WRONLY)
        stderr = os.open(errors, os.O_WRONLY | os.O_CREAT)
        os.dup2(null, 1)
        os.dup2(stderr, 2)
        code = function()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
