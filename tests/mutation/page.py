"""Outcome of mutation testing, as JSON and as a report."""

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from aejax.runs.atomic_files import write_text

ROOT = Path(__file__).parents[2]
SUMMARY = ROOT / "docs" / "results" / "mutation.json"
PAGE = ROOT / "docs" / "mutation.md"
REASONS = Path(__file__).with_name("reasons.toml")
HEAD = """# Mutation testing

`make mutation` writes this report and its data, `docs/results/mutation.json`. The reasons are
hand-written in `tests/mutation/reasons.toml`. A separate report covers [false
definitions](definition_mutants.md), which are checked by the theorems.

A mutant is the code with one change: an operator replaced, a number increased or decreased by one,
a condition negated. A failing test kills it. A surviving mutant is harmless or reveals a gap in the
tests. {tool} makes the changes. Excluded are changes of annotations, messages and decorators (which
here only compile or cache), and changes that almost any test kills, which would inflate the score:
an arithmetic operator replaced by a bitwise one or by `//`, `%`, `**`, a comparison by `is`.

**{tried} of {mutants} mutants of {scope}** were drawn with seed {seed} on commit `{commit}`, from
each module in proportion to its number of mutants; code that does not parse is not counted. Each
mutant was tried on tests that execute its statement, up to {budget:.0f} seconds of CPU time. Tests
in the file named after its module were run first, then tests in files that import it, then others,
in each group the fastest first. Tests of experiments, documents and figures were not run. The full
test suite kills at least as many.
"""
FIRST = """
**{first} of them, {first_score:.1%}, were killed**, {timeout} of these by a timeout; the 95 %
Wilson interval for all mutants is {low:.1%} to {high:.1%}. {harmless} survivors are harmless, as
explained below; of the other {effective} mutants **{effective_score:.1%}** were killed.
"""
SINCE = """
With tests that were added later for the survivors (commit `{later}`), {now} are
killed, **{now_score:.1%}**. This holds for the sample and does not estimate the other mutants.
"""
TABLE = """
| folder | mutants | tried | killed | timeout | survived | still survive |
|---|---|---|---|---|---|---|
"""

TITLES = {
    "harmless": "\n## Harmless survivors, with reasons\n",
    "gap": "\n## Survivors that revealed gaps, which new tests close\n",
}
"""Headings by kind of reason."""

COUNTS = ("mutants", "tried", "killed", "timeout", "survived")


def render(found: dict[str, Any], reasons: list[dict[str, Any]]) -> str:
    """Format score, counts by folder, and every survivor with its reason, as Markdown.

    Args:
        found: result of `summary`.
        reasons: tables of reasons.toml: marks of survivors, their kind ("harmless" or "gap"), and
            why they survived.

    Raises:
        ValueError: if a survivor does not have exactly one reason.
    """
    left = [record for record in found["survivors"] if not record["killed_since_by"]]
    given = Counter(mark for reason in reasons for mark in reason["mutants"])
    lacking = [record for record in left if given[record["mark"]] != 1]
    if lacking:
        lines = "\n".join(f"{r['mark']} {r['module']}:{r['line']} {r['after']}" for r in lacking)
        raise ValueError(f"each survivor needs one reason in {REASONS.name}:\n{lines}")
    since = [record for record in found["survivors"] if record["killed_since_by"]]
    parts = [*_head(found, len(left), harmless(found, reasons)), TABLE, *_rows(found)]
    for kind, title in TITLES.items():
        chosen = [reason for reason in reasons if reason["kind"] == kind]
        parts += [title, *_explained(left, chosen)] if _explained(left, chosen) else []
    if since:
        parts.append("\n## Survivors that revealed gaps, with the tests added for them\n\n")
    parts += [_line(record) + f"  `{record['killed_since_by'][0]}`\n" for record in since]
    return "".join(parts)


def harmless(found: dict[str, Any], reasons: list[dict[str, Any]]) -> int:
    """Number of survivors that change no result that a test could check."""
    marks = {mark for row in reasons if row["kind"] == "harmless" for mark in row["mutants"]}
    left = (record for record in found["survivors"] if not record["killed_since_by"])
    return sum(record["mark"] in marks for record in left)


def reasons() -> list[dict[str, Any]]:
    """Tables of reasons.toml, with their kind."""
    tables = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    return [row | {"kind": kind} for kind, rows in tables.items() for row in rows]


def write(found: dict[str, Any]) -> None:
    """Write docs/results/mutation.json and docs/mutation.md."""
    write_text(SUMMARY, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(PAGE, render(found, reasons()))


def _explained(left: list[dict[str, Any]], reasons: list[dict[str, Any]]) -> list[str]:
    """Each reason, followed by the survivors that have it."""
    parts = []
    for reason in reasons:
        records = [record for record in left if record["mark"] in reason["mutants"]]
        parts += [f"\n{reason['reason'].strip()}\n\n", *map(_line, records)] if records else []
    return parts


def _head(found: dict[str, Any], left: int, harmless: int) -> list[str]:
    modules = found["modules"].values()
    counts = {name: sum(row[name] for row in modules) for name in COUNTS}
    tried, first = counts["tried"], counts["killed"] + counts["timeout"]
    interval = binomtest(first, tried).proportion_ci(method="wilson")
    fields = found | counts | {"first": first, "first_score": first / tried, "now": tried - left}
    fields |= {"low": interval.low, "high": interval.high, "now_score": 1 - left / tried}
    fields |= {"harmless": harmless, "effective": tried - harmless}
    fields |= {"effective_score": first / (tried - harmless)}
    return [text.format(**fields) for text in (HEAD, FIRST, SINCE * ("later" in found))]


def _rows(found: dict[str, Any]) -> list[str]:
    """Table row for each folder of modules."""
    rows: dict[str, Counter[str]] = {}
    for module, counts in found["modules"].items():
        rows.setdefault(_folder(module), Counter()).update(counts)
    left = Counter(_folder(r["module"]) for r in found["survivors"] if not r["killed_since_by"])
    return [
        f"| {folder} | {' | '.join(str(row[name]) for name in COUNTS)} | {left[folder]} |\n"
        for folder, row in rows.items()
    ]


def _folder(module: str) -> str:
    return str(Path("aejax", module).parent)


def _line(record: dict[str, Any]) -> str:
    """List entry of a survivor: its position, and the line before and after the change."""
    before, after = (" ".join(record[side].split()) for side in ("before", "after"))
    return (
        f"- `{record['module']}:{record['line']}`, `{record['mark']}`\n  `{before}`\n  `{after}`\n"
    )
