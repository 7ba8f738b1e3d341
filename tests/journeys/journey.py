"""A journey: what a user writes, run in an empty folder, with its time and number of lines.

A user has the command `aejax` on the path, a home directory without files, and data. Everything
else is written by the user and counts as lines: of shell, of Python, and of notebook cells.
"""

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import NamedTuple
from urllib.request import urlopen

import matplotlib

SCRIPTS = sysconfig.get_path("scripts")
"""Directory of the commands of this environment, `aejax` and `python`."""


class Journey(NamedTuple):
    """A user in a folder.

    folder:  working directory, empty at first.
    home:    home directory, empty at first.
    written: lines that the user has written so far.
    seconds: durations of what the user has run so far.
    """

    folder: Path
    home: Path
    written: list[str]
    seconds: list[float]


class Outcome(NamedTuple):
    """Standard output and standard error of a successful script."""

    out: str
    err: str


def write(journey: Journey, name: str, text: str) -> Path:
    """Write a file of the user into the folder; its lines count."""
    path = journey.folder / name
    path.write_text(text.lstrip("\n"), encoding="utf-8")
    journey.written.extend(lines(text))
    return path


def shell(journey: Journey, script: str, **variables: str) -> Outcome:
    """Run lines of shell that the user types, and stop at the first that fails."""
    journey.written.extend(lines(script))
    return run(journey, ["sh", "-e", "-c", script], **variables)


def python(journey: Journey, script: str, name: str = "script.py", **variables: str) -> Outcome:
    """Write a script and run it."""
    write(journey, name, script)
    return run(journey, ["python", name], **variables)


def run(journey: Journey, words: list[str], **variables: str) -> Outcome:
    """Run a command again or for the first time; its lines do not count.

    Raises:
        AssertionError: the command fails, or shows a traceback.
    """
    with timed(journey):
        ended = subprocess.run(
            words,
            cwd=journey.folder,
            env=environment(journey, variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=600,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return Outcome(ended.stdout, ended.stderr)


def kill_after_checkpoint(journey: Journey, command: str, out: Path) -> None:
    """Type a command that trains, and kill it when the run has a checkpoint."""
    journey.written.extend(lines(command))
    with timed(journey):
        process = subprocess.Popen(
            command.split(), cwd=journey.folder, env=environment(journey), stderr=DEVNULL
        )
        while not any(path.name.isdecimal() for path in out.glob("checkpoints/*")):
            assert process.poll() is None, f"{command} ended before it was killed"
            time.sleep(0.005)
        process.kill()
        process.wait()


def explore(journey: Journey, run: str) -> tuple[str, dict, dict]:
    """Type `aejax explore RUN`, open its page, and end it by Ctrl-C.

    Returns:
        The page, the description of the run, and the first example with its reconstruction.
    """
    command = f"aejax explore {run}"
    journey.written.extend(lines(command))
    with timed(journey):
        server = subprocess.Popen(
            command.split(),
            cwd=journey.folder,
            env=environment(journey),
            stdout=PIPE,
            stderr=PIPE,
            text=True,
        )
        address = server.stdout.readline().partition(" ")[2].strip()
        try:
            page, description, example = (
                urlopen(address + path).read().decode() for path in ("", "description", "example/0")
            )
        finally:
            server.send_signal(signal.SIGINT)
            _, complaints = server.communicate(timeout=60)
    assert (server.returncode, complaints) == (0, "")
    return page, json.loads(description), json.loads(example)


@contextmanager
def timed(journey: Journey):
    """Add the duration of a block to the journey."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        journey.seconds.append(time.perf_counter() - begin)


def environment(journey: Journey, variables: Mapping[str, str] = {}) -> dict[str, str]:
    """Environment of the user: this one, with the commands on the path and an empty home.

    The cache of matplotlib's fonts is that of this user, since it takes long to build. A
    PYTHONPATH is put before the present one.
    """
    paths = [variables.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
    return os.environ | {
        "PATH": os.pathsep.join([SCRIPTS, os.environ["PATH"]]),
        "HOME": str(journey.home),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),
        **variables,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def lines(text: str) -> list[str]:
    """Lines of code: without blank lines and comments; a shell command may span several."""
    stripped = map(str.strip, text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
