"""Which tests run a statement, and in which order they are best tried."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.mutation.process import run_tests
from tests.mutation.source import defined, dependents, imported_modules, own_files, words
from tests.mutation.workers import append, for_each

LEFT_OUT = (
    "tests/experiments/*",
    "tests/test_benchmarks.py",
    "tests/docs/test_citation.py",
    "tests/docs/test_course_notes.py",
    "tests/docs/test_docstrings.py",
    "tests/faults/test_faults.py",
    "tests/docs/test_how_to.py",
    "tests/docs/test_models_document.py",
    "tests/mutation/test_mutation.py",
    "tests/docs/test_notebooks.py",
    "tests/docs/test_pages.py",
    "tests/plots/*",
    "tests/docs/test_readme.py",
    "tests/cli/test_browser.py",
)
"""Tests of experiments, documents and figures: they may notice more, and take long."""


class MeasuredTest(NamedTuple):
    """One test, as measured on the unchanged code.

    name:    of the test, which begins with its file.
    seconds: of computing.
    lines:   of the package that it ran, by module.
    """

    name: str
    seconds: float
    lines: dict[str, list[int]]

    @property
    def file(self) -> str:
        """Path of the file that holds it."""
        return self.name.partition("::")[0]


def measure(workers: list[Path], store: Path) -> tuple[list[MeasuredTest], list[str]]:
    """Run each file of tests once, in a process of its own, and record what each test runs.

    Args:
        workers: equal folders with the code and its tests, each used by one process at a time.
        store: a file of measurements, one line for each file of tests. Those that it holds are
            not measured again.

    Returns:
        The tests that pass, and the names of those that fail or are skipped without any mutant.
    """
    lines = store.read_text(encoding="utf-8").splitlines() if store.exists() else []
    found = {record["file"]: record for record in map(json.loads, lines)}

    def attempt(worker: Path, file: str) -> None:
        found[file] = {"file": file, **_measured(worker, file)}
        append(store, found[file], f"{len(found[file]['tests'])} tests of {file} measured")

    for_each(workers, [file for file in files(workers[0]) if file not in found], attempt)
    tests = [MeasuredTest(**test) for record in found.values() for test in record["tests"]]
    return tests, sorted(name for record in found.values() for name in record["failed"])


def files(checkout: Path) -> list[str]:
    """Files of tests that count, those of theorems first: they take longest."""
    paths = (path.relative_to(checkout) for path in checkout.glob("tests/**/test_*.py"))
    kept = (path for path in paths if not any(path.match(glob) for glob in LEFT_OUT))
    return sorted(map(str, kept), key=lambda file: ("theory" not in file, file))


def selected(
    package: Path, tests: list[MeasuredTest], module: str, line: int, budget: float
) -> list[MeasuredTest]:
    """The tests that run what a line decides, in the order in which they are to be tried.

    Of a line that runs at import they are also those in files that import its module and mention
    a name that it defines.

    First come tests in the file named like the module, then those in files that import it, then
    others; of each kind the quickest first, until the budget is used. Tests of one file stay
    together, since they share fixtures.

    Args:
        package: folder of the unchanged package, beside its tests.
        tests: as measured.
        module: path in the package.
        line: line number, from 1.
        budget: seconds of computing in all; the first test is taken whatever it needs.
    """
    checkout = package.parent
    wanted, names = dependents(package, module, line), defined(package, module, line)
    files = {test.file for test in tests} if names else set()
    mentioning = {
        file
        for file in files
        if module in imported_modules(checkout, file) and names & words(checkout / file)
    }
    some = [test for test in tests if test.file in mentioning or _runs(test, wanted)]
    rank = _ranks(checkout, module, {test.file for test in some})
    source = (package / module).read_text(encoding="utf-8")
    chosen, spent = list[MeasuredTest](), 0.0
    for test in sorted(some, key=lambda test: (_rank(test, rank, source), test.seconds)):
        if not chosen or spent + test.seconds <= budget:
            chosen, spent = [*chosen, test], spent + test.seconds
    place = {file: at for at, file in reversed(list(enumerate(test.file for test in chosen)))}
    return sorted(chosen, key=lambda test: place[test.file])


def _measured(worker: Path, file: str) -> dict:
    destination = worker.parent / f"{worker.name}.json"
    destination.unlink(missing_ok=True)
    _, output, _ = run_tests(worker, [file], measured=destination)
    if not destination.exists():
        raise RuntimeError(f"{file} cannot be measured:\n{output}")
    return json.loads(destination.read_text(encoding="utf-8"))


def _runs(test: MeasuredTest, wanted: dict[str, set[int]]) -> bool:
    return any(not lines.isdisjoint(test.lines.get(file, ())) for file, lines in wanted.items())


def _ranks(checkout: Path, module: str, names: Iterable[str]) -> dict[str, int]:
    own = own_files(module)
    return {
        name: 0 if name in own else 1 if module in imported_modules(checkout, name) else 2
        for name in names
    }


def _rank(test: MeasuredTest, ranks: dict[str, int], source: str) -> int:
    """Of a test's file; but a test of one theorem is its module's own."""
    parameter = test.name.partition("[")[2][:-1]
    return 0 if parameter and f"def {parameter}(" in source else ranks[test.file]
