"""The outcome of a run of mutants, as JSON and as a page."""

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

`make mutation` writes this page and its numbers, `docs/results/mutation.json`; the reasons alone
are written by hand, in `tests/mutation/reasons.toml`. [Mutants of
definitions](definition_mutants.md) are of another kind: false mathematics, put to the theorems.

A mutant is the code with one change: an operator replaced, a number one more or one less, a
condition negated. A test that fails kills it; one that no test kills is harmless, or shows a gap in
the tests. {tool} makes the changes. Left out are changes of annotations and of messages,
decorators, which here only compile or remember, and what nearly any test kills, which would flatter
the score: an arithmetic operator replaced by one on bits or by `//`, `%`, `**`, an order by `is`.

**{tried} of {mutants} mutants of {scope}**, drawn from every module in proportion with seed {seed},
on commit `{commit}`; what Python cannot read is not counted. Each was put to tests that run its
statement, up to {budget:.0f} seconds of computing: first those in the file named like its module,
then those in files that import it, then others, of each kind the quickest first. Tests of
experiments, documents and figures were not asked. The whole suite kills those that these kill, and
perhaps more.
"""
FIRST = """
**{first} of them, {first_score:.1%}, were killed**, {timeout} of these by taking too long; the 95 %
interval for all mutants is {low:.1%} to {high:.1%} (Wilson).
"""
SINCE = """
With tests that were written for the survivors since (commit `{later}`), {now} are
killed, **{now_score:.1%}**: of this sample, which is no estimate for the other mutants.
"""
TABLE = """
| folder | mutants | tried | killed | too long | survived | still survive |
|---|---|---|---|---|---|---|
"""


COUNTS = ("mutants", "tried", "killed", "timeout", "survived")


def render(found: dict[str, Any], reasons: list[dict[str, Any]]) -> str:
    """The page: the score, a row for each folder, every survivor with its reason.

    Args:
        found: as `summary` gives it.
        reasons: tables with the marks of survivors, and the reason why these are harmless.

    Raises:
        ValueError: where a survivor has no reason, or more than one.
    """
    left = [record for record in found["survivors"] if not record["killed_since_by"]]
    given = Counter(mark for reason in reasons for mark in reason["mutants"])
    lacking = [record for record in left if given[record["mark"]] != 1]
    if lacking:
        lines = "\n".join(f"{r['mark']} {r['module']}:{r['line']} {r['after']}" for r in lacking)
        raise ValueError(f"each survivor needs one reason in {REASONS.name}:\n{lines}")
    since = [record for record in found["survivors"] if record["killed_since_by"]]
    parts = [*_head(found, len(left)), TABLE, *_rows(found)]
    parts.append("\n## Survivors, and why each is harmless\n")
    for reason in reasons:
        records = [record for record in left if record["mark"] in reason["mutants"]]
        parts += [f"\n{reason['reason'].strip()}\n\n", *map(_line, records)] if records else []
    if since:
        parts.append("\n## Survivors that were gaps, and the test that kills each since\n\n")
    parts += [_line(record) + f"  `{record['killed_since_by'][0]}`\n" for record in since]
    return "".join(parts)


def reasons() -> list[dict[str, Any]]:
    """As they are written down."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))["harmless"]


def write(found: dict[str, Any]) -> None:
    """The numbers into docs/results/mutation.json, and the page."""
    write_text(SUMMARY, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(PAGE, render(found, reasons()))


def _head(found: dict[str, Any], left: int) -> list[str]:
    modules = found["modules"].values()
    counts = {name: sum(row[name] for row in modules) for name in COUNTS}
    tried, first = counts["tried"], counts["killed"] + counts["timeout"]
    interval = binomtest(first, tried).proportion_ci(method="wilson")
    words = found | counts | {"first": first, "first_score": first / tried, "now": tried - left}
    words |= {"low": interval.low, "high": interval.high, "now_score": 1 - left / tried}
    return [text.format(**words) for text in (HEAD, FIRST, SINCE * ("later" in found))]


def _rows(found: dict[str, Any]) -> list[str]:
    """A row for each folder of modules."""
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
    """A survivor: where it stands, the line as it was and as it is changed."""
    before, after = (" ".join(record[side].split()) for side in ("before", "after"))
    return (
        f"- `{record['module']}:{record['line']}`, `{record['mark']}`\n  `{before}`\n  `{after}`\n"
    )
