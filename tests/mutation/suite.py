"""Selection and order of the tests that execute a statement."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.mutation.process import run_tests
from tests.mutation.source import defined, dependents, imported_modules, own_files, words
from tests.mutation.workers import append, for_each

EXCLUDED = (
    "tests/cli/test_browser.py",
    "tests/docs/*",
    "tests/experiments/*",
    "tests/faults/test_faults.py",
    "tests/mutation/*",
    "tests/plots/*",
    "tests/test_benchmarks.py",
    "tests/test_layout.py",
)
"""Patterns of tests that are not run: of experiments, documents, figures and the source itself."""


class MeasuredTest(NamedTuple):
    """One test, measured on the unchanged code.

    name:    node id of the test, which begins with its file.
    seconds: CPU seconds.
    lines:   lines of the package that it executed, by module.
    """

    name: str
    seconds: float
    lines: dict[str, list[int]]

    @property
    def file(self) -> str:
        """Path of its file."""
        return self.name.partition("::")[0]


def measure(workers: list[Path], store: Path) -> tuple[list[MeasuredTest], list[str]]:
    """Run each test file once in a separate process, and record the coverage of each test.

    Args:
        workers: identical copies of code and tests, each used by one process at a time.
        store: file of measurements, one line for each test file; its files are not measured again.

    Returns:
        The passing tests, and the names of tests that fail or are skipped without a mutant.
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
    """Test files that are not excluded; those of the theory, which take longest, come first."""
    paths = (path.relative_to(checkout) for path in checkout.glob("tests/**/test_*.py"))
    kept = (path for path in paths if not any(path.match(glob) for glob in EXCLUDED))
    return sorted(map(str, kept), key=lambda file: ("theory" not in file, file))


def selected(
    package: Path, tests: list[MeasuredTest], module: str, line: int, budget: float
) -> list[MeasuredTest]:
    """Tests that execute the code that depends on a line, in the order in which they are tried.

    For a line that runs at import, tests in files that import its module and mention a name that it
    defines are selected too.

    Tests in the file named after the module come first, then tests in files that import it, then
    others; the fastest come first in each group, until the budget is used. Tests of one file stay
    together, because they share fixtures.

    Args:
        package: folder of the unchanged package, next to its tests.
        tests: tests with their coverage.
        module: path of the module in the package.
        line: line number, from 1.
        budget: total CPU seconds; the first test is always selected.
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
    position = {
        file: index for index, file in reversed(list(enumerate(test.file for test in chosen)))
    }
    return sorted(chosen, key=lambda test: position[test.file])


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
    """Rank of a test's file; a test that is parametrised by a function of the module has rank 0."""
    parameter = test.name.partition("[")[2][:-1]
    return 0 if parameter and f"def {parameter}(" in source else ranks[test.file]
