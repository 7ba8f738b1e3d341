"""A sample of mutants put to the tests that run their statements, and the outcome of each."""

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

from mutation import suite
from mutation.mutants import Mutant
from mutation.process import Outcome, run_tests
from mutation.source import parse
from mutation.suite import MeasuredTest
from mutation.workers import append, for_each

PATIENCE = 4
"""A mutant's tests may compute this many times as long as they took before, and a minute."""

LIMIT_OF_FILES = 1200
"""Seconds that whole files of tests may compute."""

PARSING = Lock()
"""Held while a mutant is made: Cosmic Ray's parser keeps state."""


class Record(NamedTuple):
    """The outcome of one mutant.

    mark:       of the change, the same wherever in its module the line stands.
    module:     path of the file in the package.
    line:       line number of the change.
    operator:   Cosmic Ray's.
    occurrence: index among the operator's places in the module.
    before:     the lines without the change.
    after:      and with it.
    outcome:    killed by a test that failed, or by taking too long; or survived.
    tests:      the one that killed it; where it survived, all that it was put to.
    seconds:    of computing.
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
    """Put each mutant to its tests, as many at once as there are workers.

    Args:
        workers: copies of the code, which are changed in place, and changed back.
        tests: as measured on it.
        drawn: mutants of the unchanged code.
        budget: seconds of tests for each.
        store: a file of records, one a line; mutants that it holds are not tried again.
    """
    lines = store.read_text(encoding="utf-8").splitlines() if store.exists() else []
    records = {_place(record): record for record in (Record(*json.loads(line)) for line in lines)}

    def attempt(worker: Path, mutant: Mutant) -> None:
        record = _try(worker, mutant, tests, budget)
        line = f"{record.outcome} {record.module}:{record.line} {record.after} ({record.mark})"
        append(store, record, f"{line}, {record.seconds:.0f} s")
        records[_place(record)] = record

    for_each(workers, [mutant for mutant in drawn if _key(mutant) not in records], attempt)
    return [records[_key(mutant)] for mutant in drawn]


def readable(mutant: Mutant) -> bool:
    """Whether Python can read the changed code: a bare star of a signature cannot become a plus."""
    try:
        parse(_changed(mutant))
    except SyntaxError:
        return False
    return True


def survived(record: Record) -> bool:
    """Whether no test noticed."""
    return record.outcome == "survived"


def summary(
    population: dict[str, list[Mutant]],
    records: list[Record],
    later: list[Record],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """The counts by module, and every mutant that survived at first.

    Args:
        population: all mutants, by module.
        records: of the sample.
        later: of its survivors, put to the tests of a later commit.
        settings: that decided them.
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
    """The mutants of a later commit that make the changes of these records; others are gone."""
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
    limit = 60 + math.ceil(PATIENCE * sum(test.seconds for test in chosen))
    outcome, output, seconds = "survived", "", 0.0
    if names:
        changed = worker / "aejax" / mutant.module
        changed.write_text(_changed(mutant), encoding="utf-8")
        try:
            outcome, output, seconds = run_tests(worker, names, limit=limit)
            if "ERROR: not found" in output:  # a mutant may change what tests are named after
                files = list(dict.fromkeys(test.file for test in chosen))
                outcome, output, seconds = run_tests(worker, files, limit=LIMIT_OF_FILES)
        finally:
            shutil.copy2(spec.module_path, changed)  # its time too, by which bytecode is known
    if outcome == "killed":
        names = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)[:1]
    (module, *place), change = _key(mutant), _change(mutant)
    spent = round(seconds, 1)
    return Record(_mark(mutant), module, spec.start_pos[0], *place, *change, outcome, names, spent)


def _package(mutant: Mutant) -> Path:
    """The folder of the unchanged package that a mutant is drawn from."""
    return mutant.spec.module_path.parents[len(Path(mutant.module).parts) - 1]


def _changed(mutant: Mutant) -> str:
    spec = mutant.spec
    code = spec.module_path.read_text(encoding="utf-8")
    with PARSING:
        return mutate_code(code, get_operator(spec.operator_name)(), spec.occurrence)


def _change(mutant: Mutant) -> tuple[str, str]:
    """The lines that a mutant replaces, and those that come in their place."""
    code = mutant.spec.module_path.read_text(encoding="utf-8")
    lines = list(unified_diff(code.splitlines(), _changed(mutant).splitlines(), n=0))[2:]
    gone, come = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return "\n".join(gone), "\n".join(come)


def _mark(mutant: Mutant) -> str:
    text = "\n".join([Path(mutant.module).name, *_change(mutant)])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _line(mutant: Mutant) -> str:
    lines = mutant.spec.module_path.read_text(encoding="utf-8").splitlines()
    return lines[mutant.spec.start_pos[0] - 1].strip()


def _key(mutant: Mutant) -> tuple[str, str, int]:
    return mutant.module, mutant.spec.operator_name.partition("/")[2], mutant.spec.occurrence


def _place(record: Record) -> tuple[str, str, int]:
    return record.module, record.operator, record.occurrence
