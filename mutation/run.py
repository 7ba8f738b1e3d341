"""A sample of mutants put to the tests that run their statements, and what came of each."""

import ast
import hashlib
import json
import math
import re
from collections import Counter
from difflib import unified_diff
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.plugins import get_operator

from mutation import suite
from mutation.mutants import Mutant
from mutation.process import Outcome, run_tests
from mutation.suite import Group

PATIENCE = 4
"""A mutant's tests may compute this many times as long as they took before, and a minute."""


class Record(NamedTuple):
    """What came of a mutant.

    mark:       of the change, the same wherever in its module the line stands.
    module:     the file's name.
    line:       of the change.
    operator:   Cosmic Ray's.
    occurrence: which of the operator's places in the module.
    before:     the lines without the change.
    after:      and with it.
    outcome:    killed by a test that failed, or by taking too long; survived; or stillborn.
    tests:      the one that killed it; where it survived, all that it was put to.
    seconds:    of computing that took.
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
    checkout: Path, groups: list[Group], drawn: list[Mutant], budget: float, store: Path
) -> list[Record]:
    """Put each mutant to its tests, one after the other.

    Args:
        checkout: the code that is changed, in place, and changed back.
        groups: of tests, as measured on it.
        drawn: mutants of it.
        budget: seconds of tests for each.
        store: a file of records, a line each, that is gone on with: what it holds is not tried.
    """
    lines = store.read_text(encoding="utf-8").splitlines() if store.exists() else []
    records = {_place(record): record for record in (Record(*json.loads(line)) for line in lines)}
    for mutant in drawn:
        if _key(mutant) not in records:
            place = mutant.spec.module_path, mutant.spec.start_pos[0]
            record = _try(checkout, mutant, suite.selected(groups, *place, budget))
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(f"{record.outcome} {record.module}:{record.line} {record.after}", flush=True)
            records[_key(mutant)] = record
    return [records[_key(mutant)] for mutant in drawn]


def survived(record: Record) -> bool:
    """Whether no test noticed."""
    return record.outcome == "survived"


def summary(
    population: dict[str, list[Mutant]],
    records: list[Record],
    later: list[Record],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """The numbers by module, and every mutant that survived at first.

    Args:
        population: all mutants, by module.
        records: of the sample.
        later: of its survivors, put to the tests again that were written since.
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


def _try(checkout: Path, mutant: Mutant, groups: list[Group]) -> Record:
    names, spec = [name for group in groups for name in group.tests], mutant.spec
    operator = get_operator(spec.operator_name)()
    before, after = _change(mutant)
    with use_mutation(spec.module_path, operator, spec.occurrence) as (_, mutated):
        outcome, output, seconds = _outcome(checkout, mutated, groups, names)
    if outcome == "killed":
        names = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)[:1]
    (module, *place), line, spent = _key(mutant), spec.start_pos[0], round(seconds, 1)
    return Record(_mark(mutant), module, line, *place, before, after, outcome, names, spent)


def _outcome(
    checkout: Path, mutated: str, groups: list[Group], names: list[str]
) -> tuple[Outcome, str, float]:
    try:
        ast.parse(mutated)
    except SyntaxError:
        return "stillborn", "", 0.0
    if not names:
        return "survived", "", 0.0
    limit = 60 + math.ceil(PATIENCE * sum(group.seconds for group in groups))
    return run_tests(checkout, names, limit=limit)


def _change(mutant: Mutant) -> tuple[str, str]:
    """The lines that a mutant replaces, and those that come in their place."""
    spec = mutant.spec
    code = spec.module_path.read_text(encoding="utf-8")
    mutated = mutate_code(code, get_operator(spec.operator_name)(), spec.occurrence)
    lines = list(unified_diff(code.splitlines(), mutated.splitlines(), n=0))[2:]
    gone, come = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return "\n".join(gone), "\n".join(come)


def _mark(mutant: Mutant) -> str:
    text = "\n".join([mutant.module, *_change(mutant)])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _line(mutant: Mutant) -> str:
    lines = mutant.spec.module_path.read_text(encoding="utf-8").splitlines()
    return lines[mutant.spec.start_pos[0] - 1].strip()


def _key(mutant: Mutant) -> tuple[str, str, int]:
    return mutant.module, mutant.spec.operator_name.partition("/")[2], mutant.spec.occurrence


def _place(record: Record) -> tuple[str, str, int]:
    return record.module, record.operator, record.occurrence
