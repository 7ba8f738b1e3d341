"""Tests in a process of their own that begins with everything imported but the code under test."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from contextlib import nullcontext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Literal

import pytest
from coverage import Coverage

IMPORTED = ("beartype", "coverage", "flax.linen", "hypothesis", "jaxtyping", "optax", "pytest")
IMPORTED += ("scipy.stats", "sklearn.decomposition", "torch")
"""What aejax and its tests import, once for all processes. JAX starts no threads until it computes,
so that a fork is safe; none of these computes when it is imported."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(IMPORTED))

Outcome = Literal["killed", "timeout", "survived", "stillborn"]
"""Stillborn is what Python does not read, such as a bare star of a signature made a plus."""


def run_tests(
    checkout: Path, tests: list[str], *, limit: int | None = None, covered: Path | None = None
) -> tuple[Outcome, str, float]:
    """Run tests until the first fails.

    Args:
        checkout: of code and tests.
        tests: files or names of tests, from there.
        limit: seconds of computing, whatever else the machine does, after which it is ended.
        covered: where to write which lines of the checkout's package run.

    Returns:
        What became of the mutant (a crash kills it too), what was printed, and the seconds of
        computing that it took.
    """
    output = checkout.parent / "output.txt"
    seconds = SERVER.Value("d")
    process = SERVER.Process(target=_run, args=(checkout, tests, output, limit, covered, seconds))
    process.start()
    process.join()
    text = output.read_text(encoding="utf-8", errors="replace")
    if process.exitcode == -signal.SIGXCPU:
        return "timeout", text, float(limit or 0)
    return ("survived" if process.exitcode == 0 else "killed"), text, seconds.value


def _run(
    checkout: Path,
    tests: list[str],
    output: Path,
    limit: int | None,
    covered: Path | None,
    seconds: Synchronized,
) -> None:
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    with output.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if "aejax" in sys.modules:
        raise RuntimeError("aejax was imported before the checkout's")
    sys.dont_write_bytecode = covered is None  # nothing is kept of changed code
    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    # Plain asserts: to rewrite them takes as long as many a test, and tells no more.
    arguments = ["-x", "--tb=line", "--assert=plain", "-p", "no:cacheprovider", *tests]
    coverage = Coverage(data_file=covered, include=[f"{checkout}/aejax/*"])
    with coverage.collect() if covered else nullcontext():
        code = pytest.main(arguments)
    if covered:
        coverage.save()
    seconds.value = time.process_time()
    sys.exit(code)
