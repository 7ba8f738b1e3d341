"""Tests in a forked process, which has imported everything but the code under test."""

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

IMPORTED = ("beartype", "coverage", "flax.linen", "hypothesis", "jaxtyping", "optax", "pytest")
IMPORTED += (
    "scipy.stats",
    "sklearn.decomposition",
    "torch",
    "orbax.checkpoint",
    "matplotlib.pyplot",
)
IMPORTED += ("tensorflow_datasets", "grain", "tyro", "rich", "pandas", "tests.mutation.measuring")
"""What aejax and its tests import, loaded once by the server from which all processes are forked.
JAX starts no threads until it computes, so the fork is safe; no import computes."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(IMPORTED))

WAITING = 6
"""Multiple of the limit on computing after which a process that only waits is ended as well."""

Outcome = Literal["killed", "timeout", "survived"]


def run_tests(
    checkout: Path, tests: list[str], *, limit: int | None = None, measured: Path | None = None
) -> tuple[Outcome, str, float]:
    """Run tests until the first failure.

    Args:
        checkout: folder with code and tests; one process at a time may use it.
        tests: files or test names, relative to the checkout.
        limit: seconds of computing after which the process is ended (default: none).
        measured: destination of what each test runs (see `tests.mutation.measuring`); then no
            failure ends the run.

    Returns:
        The outcome for a mutant (a crash kills it too), the printed text, and the seconds of
        computing.
    """
    output = checkout.parent / f"{checkout.name}.txt"
    seconds = SERVER.Value("d")
    process = SERVER.Process(target=_run, args=(checkout, tests, output, limit, measured, seconds))
    process.start()
    process.join(WAITING * limit if limit else None)
    waited = process.is_alive()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with all that its tests started
    process.join()
    text = output.read_text(encoding="utf-8", errors="replace")
    if waited or process.exitcode == -signal.SIGXCPU:
        return "timeout", text, float(limit or 0)
    return ("survived" if process.exitcode == 0 else "killed"), text, seconds.value


def computed() -> float:
    """Seconds that this process and its finished children have computed."""
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
        raise RuntimeError("aejax was imported before the checkout's")
    if measured:
        from tests.mutation.measuring import measure  # imports nothing of aejax
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]  # the tests are the checkout's as well
    sys.path.insert(0, str(checkout))
    os.environ["PYTHONPATH"] = str(checkout)
    os.chdir(checkout)
    if measured is None:  # bytecode of changed code must not be stored
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # Plain asserts: to rewrite them takes as long as many a test, and tells no more.
    arguments = ["--tb=line", "--assert=plain", "-p", "no:cacheprovider", *tests]
    code = measure(checkout, arguments, measured) if measured else pytest.main(["-x", *arguments])
    seconds.value = computed()
    sys.stdout.flush()
    os._exit(code)  # threads that a mutant left behind would be waited for
