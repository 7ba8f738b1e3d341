"""Outcome of a run of definition mutants, as JSON and as a report."""

import json
from collections import Counter
from typing import Any

from aejax.runs.atomic_files import write_text
from tests.mutation.workers import ROOT

SUMMARY = ROOT / "docs" / "results" / "definitions.json"
PAGE = ROOT / "docs" / "definition_mutants.md"
HEAD = """# Mutants of definitions

`python -m tests.mutation.definitions --seed {seed}` writes this report and its data,
`docs/results/definitions.json`. The mutants are defined in `tests/mutation/definitions.toml`.

A certificate states that a statement [holds](theory.md). Would it notice a false definition? Each
mutant changes one definition of the package: a factor, a rate, a missing term, a transpose, a
divisor, a sign, or another distribution, often with equal moments. The changes are in models,
losses, objectives, corruptions, penalties and the theory itself. The table is hand-written; the
seed draws the parameter of a mutant that has several. The theorems are checked on one problem, 200
skewed examples of 6 features with 3 code units, for which all certificates of the unchanged package
hold: first the theorems whose definition is changed, then all 23 if these notice nothing. A
certificate notices a mutant if it does not hold: it *fails*, it no longer distinguishes its control
(*not identifiable*), or an exception is raised.

**{count} mutants on commit `{commit}`: {noticed} are noticed by a certificate**, {fails} of them by
one that fails. {tested} change code that no theorem uses, and each is detected by a test. {left}
cannot be noticed, for the reasons below.

| module | mutants | noticed | by a test | reasons |
|---|---|---|---|---|
"""
NOTICED = """
## Noticed by certificates

The number after the name of a [theorem](theory.md) is the position of its statement.

| module | category | mutant | noticed by |
|---|---|---|---|
"""
TESTED = """
## Detected by tests

No theorem uses these definitions for this problem: all certificates hold with all of these mutants
applied together. The tests fail for each mutant separately.

| module | category | mutant | killed by |
|---|---|---|---|
"""
LEFT = """
## Not noticeable, with reasons

"""


def render(found: dict[str, Any]) -> str:
    """Format the outcome as Markdown.

    Args:
        found: content of docs/results/definitions.json.

    Raises:
        ValueError: if an unnoticed mutant has no reason, or a noticed one has a reason.
    """
    records = found["mutants"]
    odd = [each["name"] for each in records if _caught(each) == bool(each["reason"])]
    if odd:
        raise ValueError(f"unnoticed without a reason, or noticed with one: {odd}")
    noticed = [each for each in records if each["noticed"]]
    tested = [each for each in records if each["killed"]]
    left = [each for each in records if not _caught(each)]
    counts = {
        "count": len(records),
        "noticed": len(noticed),
        "fails": sum("fails" in each["noticed"].values() for each in noticed),
        "tested": len(tested),
        "left": len(left),
    }
    return "".join(
        [
            HEAD.format(**found, **counts),
            *_counts(records),
            NOTICED,
            *(f"{_row(each)} {_answers(each['noticed'])} |\n" for each in noticed),
            TESTED,
            *(f"{_row(each)} `{each['test']}` |\n" for each in tested),
            LEFT,
            *(f"- `aejax/{each['file']}`, {each['name']}. {_line(each)}\n" for each in left),
        ]
    )


def write(found: dict[str, Any]) -> None:
    """Write docs/results/definitions.json and docs/definition_mutants.md."""
    write_text(SUMMARY, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(PAGE, render(found))


def _caught(record: dict[str, Any]) -> bool:
    return bool(record["noticed"]) or record["killed"]


def _counts(records: list[dict[str, Any]]) -> list[str]:
    """Table row for each folder or module at the top of the package."""
    rows: dict[str, Counter[str]] = {}
    for each in records:
        row = rows.setdefault(_module(each["file"]), Counter())
        row.update(["mutants", _outcome(each)])
    fields = ("mutants", "noticed", "tested", "left")
    return [
        f"| {module} | {' | '.join(str(row[field]) for field in fields)} |\n"
        for module, row in rows.items()
    ]


def _outcome(record: dict[str, Any]) -> str:
    if record["noticed"]:
        return "noticed"
    return "tested" if record["killed"] else "left"


def _module(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def _row(record: dict[str, Any]) -> str:
    return f"| `{record['file']}` | {record['category']} | {record['name']} |"


def _answers(noticed: dict[str, str]) -> str:
    """Certificates with their verdicts, which are omitted for those that fail."""
    texts = []
    for certificate, answer in noticed.items():
        texts.append(f"`{certificate}`" + ("" if answer == "fails" else f" ({answer})"))
    return ", ".join(texts)


def _line(record: dict[str, Any]) -> str:
    return " ".join(record["reason"].split())
