"""The outcome of a run of mutants of definitions, as JSON and as a page."""

import json
from collections import Counter
from typing import Any

from aejax.runs.atomic_files import write_text
from tests.mutation.workers import ROOT

SUMMARY = ROOT / "docs" / "results" / "definitions.json"
PAGE = ROOT / "docs" / "definition_mutants.md"
HEAD = """# Mutants of definitions

`python -m tests.mutation.definitions --seed {seed}` writes this page and its numbers,
`docs/results/definitions.json`; the mutants stand in `tests/mutation/definitions.toml`.

A certificate says that a statement [holds](theory.md). Would it say so of a false one? Each mutant
is the package with one definition made false: a factor, a rate, a missing term, a transpose, a
divisor, a sign, or another distribution, often one of equal moments, in the models, the losses and
the objective, the corruptions, the penalties or the theory itself. The table is written by hand;
the seed draws a parameter where a mutant has several. The theorems are asked about one problem, 200
skewed examples of 6 features with 3 code units, on which the unchanged package's certificates all
hold: first those whose definition is changed, and all 23 where these notice nothing. A certificate
notices a mutant where it does not hold: it *fails*, its control is no longer told apart (*not
identifiable*), or the code ends in an error.

**{count} mutants on commit `{commit}`: {noticed} are noticed by a certificate**, {fails} of them by
one that fails. {tested} change what no theorem uses, and a test kills each; {left} cannot be
noticed, for the reasons below.

| place | mutants | noticed | by a test | reasons |
|---|---|---|---|---|
"""
NOTICED = """
## Noticed by certificates

Theorems are those of [what is proved](theory.md), with the place of the statement.

| place | category | mutant | noticed by |
|---|---|---|---|
"""
TESTED = """
## Out of the theorems' reach

No theorem uses these definitions on this problem: all were asked with all of these mutants at once,
and hold. The tests fail, with one mutant at a time.

| place | category | mutant | killed by |
|---|---|---|---|
"""
LEFT = """
## Not to be noticed, and why

"""


def render(found: dict[str, Any]) -> str:
    """The page.

    Args:
        found: the JSON's content.

    Raises:
        ValueError: where nothing notices a mutant that has no reason, or a reason is not needed.
    """
    records = found["mutants"]
    odd = [each["name"] for each in records if _caught(each) == bool(each["reason"])]
    if odd:
        raise ValueError(f"unnoticed without a reason, or noticed with one: {odd}")
    noticed = [each for each in records if each["noticed"]]
    tested = [each for each in records if each["killed"]]
    left = [each for each in records if not _caught(each)]
    words = {
        "count": len(records),
        "noticed": len(noticed),
        "fails": sum("fails" in each["noticed"].values() for each in noticed),
        "tested": len(tested),
        "left": len(left),
    }
    return "".join(
        [
            HEAD.format(**found, **words),
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
    """The numbers into docs/results/definitions.json, and the page."""
    write_text(SUMMARY, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(PAGE, render(found))


def _caught(record: dict[str, Any]) -> bool:
    return bool(record["noticed"]) or record["killed"]


def _counts(records: list[dict[str, Any]]) -> list[str]:
    """A row for each folder or module of the package."""
    rows: dict[str, Counter[str]] = {}
    for each in records:
        row = rows.setdefault(_place(each["file"]), Counter())
        row.update(["mutants", _outcome(each)])
    fields = ("mutants", "noticed", "tested", "left")
    return [
        f"| {place} | {' | '.join(str(row[field]) for field in fields)} |\n"
        for place, row in rows.items()
    ]


def _outcome(record: dict[str, Any]) -> str:
    if record["noticed"]:
        return "noticed"
    return "tested" if record["killed"] else "left"


def _place(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def _row(record: dict[str, Any]) -> str:
    return f"| `{record['file']}` | {record['category']} | {record['name']} |"


def _answers(noticed: dict[str, str]) -> str:
    """Certificates by their answer, those that fail without a word."""
    words = []
    for certificate, answer in noticed.items():
        words.append(f"`{certificate}`" + ("" if answer == "fails" else f" ({answer})"))
    return ", ".join(words)


def _line(record: dict[str, Any]) -> str:
    return " ".join(record["reason"].split())
