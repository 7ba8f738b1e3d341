"""Coverage of the package by each test, in its process and in processes that it starts."""

import gc
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import pytest
from coverage import Coverage, CoverageData

from tests.mutation.process import cpu_seconds

SETTINGS = """[run]
parallel = true
data_file = ${AEJAX_COVERED}
include = */aejax/*
"""
STARTUP = """import coverage
coverage.process_startup()
"""
"""The `sitecustomize` module of processes that tests start."""

COLLECTION = "collection"
"""Coverage context of a file's collection, which counts for all of its tests."""

Lines = dict[str, set[int]]
"""Line numbers by module, a path in the package."""


class Recorder:
    """Pytest plugin that sets the coverage context to the running test or shared fixture.

    All caches are cleared before each test, because code that JAX has traced and functions with
    cached results would not run again.
    """

    def __init__(self, coverage: Coverage, folder: Path) -> None:
        self.coverage, self.folder = coverage, folder
        self.contexts = [""]
        self.fixtures: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @contextmanager
    def context(self, name: str) -> Iterator[None]:
        """Attribute all lines that run to a name, also in started processes."""
        self.contexts.append(name)
        self._switch()
        yield
        self.contexts.pop()
        self._switch()

    def _switch(self) -> None:
        name = self.contexts[-1]
        self.coverage.switch_context(name)
        folder = self.folder / hashlib.sha256(name.encode()).hexdigest()[:20]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(name, encoding="utf-8")
        os.environ["AEJAX_COVERED"] = str(folder / "lines")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator:
        """Attribute lines that run during collection to the file."""
        with self.context(COLLECTION):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Generator:
        """Attribute lines of a test and its own fixtures to the test."""
        clear_caches()
        definitions = item._fixtureinfo.name2fixturedefs.values()
        shared = [some[-1] for some in definitions if some[-1].scope != "function"]
        self.fixtures[item.nodeid] = [_name(fixture) for fixture in shared]
        begin = cpu_seconds()
        with self.context(item.nodeid):
            outcome = yield
        self.seconds[item.nodeid] = cpu_seconds() - begin
        return outcome

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator:
        """Attribute lines of a shared fixture to every test that uses it."""
        if fixturedef.scope == "function":
            return (yield)
        with self.context(_name(fixturedef)):
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record tests that fail or are skipped, which cannot kill a mutant."""
        if not report.passed:
            self.failed.add(report.nodeid)


def measure(checkout: Path, arguments: list[str], destination: Path) -> int:
    """Run pytest, and write the CPU seconds and lines of each passing test as JSON."""
    folder = destination.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(STARTUP)
    (folder / "settings").write_text(SETTINGS)
    os.environ["PYTHONPATH"] += os.pathsep + str(folder)
    os.environ["COVERAGE_PROCESS_START"] = str(folder / "settings")
    coverage = Coverage(data_file=None, include=[f"{checkout}/aejax/*"])
    recorder = Recorder(coverage, folder / "processes")
    with coverage.collect():
        code = pytest.main(arguments, [recorder])
    lines = _lines(coverage.get_data(), checkout)
    for name, some in _of_processes(folder / "processes", checkout).items():
        _add(lines[name], some)
    tests = [
        {
            "name": test,
            "seconds": round(seconds, 3),
            "lines": _union(lines, [test, COLLECTION, *recorder.fixtures[test]]),
        }
        for test, seconds in recorder.seconds.items()
        if test not in recorder.failed
    ]
    failed = sorted(recorder.failed)
    destination.write_text(json.dumps({"tests": tests, "failed": failed}), encoding="utf-8")
    return int(code)


def clear_caches() -> None:
    """Clear JAX's caches and those of cached functions of the package and its tests."""
    jax.clear_caches()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("aejax", "tests"):
            for value in list(vars(module).values()):
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()
    gc.collect(0)


def _name(fixture: Any) -> str:
    return f"fixture {fixture.argname} of {fixture.baseid}"


def _lines(data: CoverageData, checkout: Path) -> defaultdict[str, Lines]:
    """Lines of the package by coverage context."""
    found: defaultdict[str, Lines] = defaultdict(dict)
    package = checkout / "aejax"
    for file in data.measured_files():
        if Path(file).is_relative_to(package):
            module = str(Path(file).relative_to(package))
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    found[context].setdefault(module, set()).add(line)
    return found


def _of_processes(folder: Path, checkout: Path) -> dict[str, Lines]:
    """Lines run by processes that tests started, by coverage context."""
    found = {}
    for subfolder in folder.iterdir():
        lines: Lines = {}
        for file in subfolder.glob("lines.*"):
            data = CoverageData(str(file))
            data.read()
            for some in _lines(data, checkout).values():
                _add(lines, some)
        found[(subfolder / "name").read_text(encoding="utf-8")] = lines
    return found


def _add(lines: Lines, more: Lines) -> None:
    for module, some in more.items():
        lines.setdefault(module, set()).update(some)


def _union(lines: dict[str, Lines], contexts: list[str]) -> dict[str, list[int]]:
    found: Lines = {}
    for context in contexts:
        _add(found, lines.get(context, {}))
    return {module: sorted(some) for module, some in found.items()}
