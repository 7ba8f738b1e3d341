"""Try mutants on the tests that execute their statements, and record the outcomes."""

import hashlib
import json
import math
import re
import shutil
from collections import Counter
from difflib import unified_diff
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from tests.mutation import suite
from tests.mutation.mutants import Mutant
from tests.mutation.process import Outcome, run_tests
from tests.mutation.source import parse
from tests.mutation.suite import MeasuredTest
from tests.mutation.workers import append, for_each

CPU_TIME_FACTOR = 4
"""CPU limit of a mutant's tests: this multiple of their time without a mutant, plus a minute."""

FILES_CPU_LIMIT = 1200
"""CPU limit in seconds of complete test files."""

PARSER_LOCK = Lock()
"""Lock for making a mutant: Cosmic Ray's parser has global state."""


class Record(NamedTuple):
    """The outcome of one mutant.

    mark:       hash of the change, independent of its line number.
    module:     path of the file in the package.
    line:       line number of the change.
    operator:   operator of Cosmic Ray.
    occurrence: index among the operator's positions in the module.
    before:     changed lines before the change.
    after:      changed lines after the change.
    outcome:    killed (a test failed), timeout or survived.
    tests:      the test that killed it, or all tests that it survived.
    seconds:    CPU seconds of the tests.
    """

    mark: str
    module: str
    line: int
    operator: str
    occurrence: int
    before: str
    after: str
    outcome: Outcome
    tests: list[str]
    seconds: float


def try_all(
    workers: list[Path], tests: list[MeasuredTest], drawn: list[Mutant], budget: float, store: Path
) -> list[Record]:
    """Try each mutant on its tests, in parallel, one mutant per worker.

    Args:
        workers: copies of the code, changed in place and restored.
        tests: tests with their coverage of the unchanged code.
        drawn: mutants of the unchanged code.
        budget: CPU seconds of tests per mutant.
        store: file of records, one per line; its mutants are not tried again.
    """
    lines = store.read_text(encoding="utf-8").splitlines() if store.exists() else []
    records = {
        _record_key(record): record for record in (Record(*json.loads(line)) for line in lines)
    }

    def attempt(worker: Path, mutant: Mutant) -> None:
        record = _try(worker, mutant, tests, budget)
        line = f"{record.outcome} {record.module}:{record.line} {record.after} ({record.mark})"
        append(store, record, f"{line}, {record.seconds:.0f} s")
        records[_record_key(record)] = record

    for_each(workers, [mutant for mutant in drawn if _key(mutant) not in records], attempt)
    return [records[_key(mutant)] for mutant in drawn]


def readable(mutant: Mutant) -> bool:
    """Whether the changed code parses (the bare star of a signature cannot become a plus)."""
    try:
        parse(_changed(mutant))
    except SyntaxError:
        return False
    return True


def survived(record: Record) -> bool:
    """Whether no test killed the mutant."""
    return record.outcome == "survived"


def summary(
    population: dict[str, list[Mutant]],
    records: list[Record],
    later: list[Record],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Outcomes by module, and every mutant that survived at first.

    Args:
        population: all mutants by module.
        records: records of the sample.
        later: records of its survivors with the tests of a later commit.
        settings: settings of the run.
    """
    modules = {}
    for module, some in population.items():
        outcomes = Counter(record.outcome for record in records if record.module == module)
        counts = {outcome: outcomes[outcome] for outcome in ("killed", "timeout", "survived")}
        modules[module] = {"mutants": len(some), "tried": sum(counts.values()), **counts}
    since = {(record.module, record.mark): record.tests for record in later if not survived(record)}
    survivors = [
        record._asdict() | {"killed_since_by": since.get((record.module, record.mark), [])}
        for record in records
        if survived(record)
    ]
    tool = f"Cosmic Ray {metadata.version('cosmic-ray')}"
    return {**settings, "tool": tool, "modules": modules, "survivors": survivors}


def repeated(survivors: list[Record], population: dict[str, list[Mutant]]) -> list[Mutant]:
    """Mutants of a later commit that make the same changes as these records."""
    marks = {(record.module, record.operator): set[str]() for record in survivors}
    for record in survivors:
        marks[record.module, record.operator].add(record.mark)
    lines = {record.before for record in survivors}
    return [
        mutant
        for some in population.values()
        for mutant in some
        if _line(mutant) in lines and _mark(mutant) in marks.get(_key(mutant)[:2], ())
    ]


def _try(worker: Path, mutant: Mutant, tests: list[MeasuredTest], budget: float) -> Record:
    spec = mutant.spec
    chosen = suite.selected(_package(mutant), tests, mutant.module, spec.start_pos[0], budget)
    names = [test.name for test in chosen]
    limit = 60 + math.ceil(CPU_TIME_FACTOR * sum(test.seconds for test in chosen))
    outcome, output, seconds = "survived", "", 0.0
    if names:
        changed = worker / "aejax" / mutant.module
        changed.write_text(_changed(mutant), encoding="utf-8")
        try:
            outcome, output, seconds = run_tests(worker, names, limit=limit)
            if "ERROR: not found" in output:  # a mutant may change the ids of parametrised tests
                files = list(dict.fromkeys(test.file for test in chosen))
                outcome, output, seconds = run_tests(worker, files, limit=FILES_CPU_LIMIT)
        finally:
            shutil.copy2(
                spec.module_path, changed
            )  # with its modification time, which validates bytecode
    if outcome == "killed":
        names = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)[:1]
    (module, *position), change = _key(mutant), _change(mutant)
    spent = round(seconds, 1)
    return Record(
        _mark(mutant), module, spec.start_pos[0], *position, *change, outcome, names, spent
    )


def _package(mutant: Mutant) -> Path:
    """Folder of the unchanged package of a mutant."""
    return mutant.spec.module_path.parents[len(Path(mutant.module).parts) - 1]


def _changed(mutant: Mutant) -> str:
    spec = mutant.spec
    code = spec.module_path.read_text(encoding="utf-8")
    with PARSER_LOCK:
        return mutate_code(code, get_operator(spec.operator_name)(), spec.occurrence)


def _change(mutant: Mutant) -> tuple[str, str]:
    """Lines that a mutant changes, before and after."""
    code = mutant.spec.module_path.read_text(encoding="utf-8")
    lines = list(unified_diff(code.splitlines(), _changed(mutant).splitlines(), n=0))[2:]
    removed, added = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return "\n".join(removed), "\n".join(added)


def _mark(mutant: Mutant) -> str:
    text = "\n".join([Path(mutant.module).name, *_change(mutant)])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _line(mutant: Mutant) -> str:
    lines = mutant.spec.module_path.read_text(encoding="utf-8").splitlines()
    return lines[mutant.spec.start_pos[0] - 1].strip()


def _key(mutant: Mutant) -> tuple[str, str, int]:
    return mutant.module, mutant.spec.operator_name.partition("/")[2], mutant.spec.occurrence


def _record_key(record: Record) -> tuple[str, str, int]:
    return record.module, record.operator, record.occurrence
