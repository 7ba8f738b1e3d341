"""Tests in a forked process that has imported the dependencies but not the code under test."""

import multiprocessing
import os
import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Literal

import pytest

PRELOADED_MODULES = (
    "beartype",
    "coverage",
    "flax.linen",
    "hypothesis",
    "jaxtyping",
    "optax",
    "pytest",
)
PRELOADED_MODULES += (
    "scipy.stats",
    "sklearn.decomposition",
    "torch",
    "orbax.checkpoint",
    "matplotlib.pyplot",
)
PRELOADED_MODULES += (
    "tensorflow_datasets",
    "grain",
    "tyro",
    "rich",
    "pandas",
    "tests.mutation.measuring",
)
"""Dependencies of aejax and its tests, imported once by the server from which processes are forked.
The fork is safe, because JAX starts no threads before its first computation."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(PRELOADED_MODULES))

WALL_TIME_FACTOR = 6
"""Multiple of the CPU limit after which a process that waits is killed."""

Outcome = Literal["killed", "timeout", "survived"]


def run_tests(
    checkout: Path, tests: list[str], *, limit: int | None = None, measured: Path | None = None
) -> tuple[Outcome, str, float]:
    """Run tests until the first failure.

    Args:
        checkout: folder with code and tests; only one process at a time may use it.
        tests: files or test names, relative to the checkout.
        limit: CPU seconds after which the process is killed (default: no limit).
        measured: destination file of each test's coverage (see `tests.mutation.measuring`); if
            given, all tests run.

    Returns:
        The outcome for a mutant (a crash kills it too), the printed text, and CPU seconds.
    """
    output = checkout.parent / f"{checkout.name}.txt"
    seconds = SERVER.Value("d")
    process = SERVER.Process(target=_run, args=(checkout, tests, output, limit, measured, seconds))
    process.start()
    process.join(WALL_TIME_FACTOR * limit if limit else None)
    timed_out = process.is_alive()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with processes that its tests started
    process.join()
    text = output.read_text(encoding="utf-8", errors="replace")
    if timed_out or process.exitcode == -signal.SIGXCPU:
        return "timeout", text, float(limit or 0)
    return ("survived" if process.exitcode == 0 else "killed"), text, seconds.value


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _run(
    checkout: Path,
    tests: list[str],
    output: Path,
    limit: int | None,
    measured: Path | None,
    seconds: Synchronized,
) -> None:
    os.setsid()
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    with output.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if "aejax" in sys.modules:
        raise RuntimeError("aejax is already imported, but not from the checkout")
    if measured:
        from tests.mutation.measuring import measure  # imports nothing of aejax
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]  # the tests are imported from the checkout too
    sys.path.insert(0, str(checkout))
    os.environ["PYTHONPATH"] = str(checkout)
    os.chdir(checkout)
    if measured is None:  # bytecode of changed code must not be stored
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # Plain asserts: rewriting them takes as long as many tests and gives no more information.
    arguments = ["--tb=line", "--assert=plain", "-p", "no:cacheprovider", *tests]
    code = measure(checkout, arguments, measured) if measured else pytest.main(["-x", *arguments])
    seconds.value = cpu_seconds()
    sys.stdout.flush()
    os._exit(code)  # does not wait for threads that a mutant left running
