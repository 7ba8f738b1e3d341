"""Selection of the default test suite: every cheap test, and a covering choice of the costly ones.

`pytest` without paths runs the selection; a path on the command line, as in `make test-all`, runs
all of its tests. `tests/costs.json` records the CPU seconds of one case of each function. The rule:

1. Functions of at most `COSTLY` seconds are kept. Of the others in one folder, except those of more
   than `EXPENSIVE` seconds, every `STRIDE`-th is kept. A file that would otherwise have none keeps
   its first function.
2. A kept function whose cases together take more than `PRODUCT` seconds has a covering choice of
   them: every `STRIDE`-th, such that each value of each of two parameters is in one of them.
3. Every contract test is kept; if costly, for the first row of each combination of source files.

`python -m tests.costs` measures. A new function, which has no record, is cheap; an older one whose
record is null has not been measured, and is costly. Tests that are marked slow are not part of the
selection; `make test-slow` runs them.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

RECORD = Path(__file__).with_name("costs.json")
COSTLY, EXPENSIVE = 0.5, 5.0
UNKNOWN = 1.0
"""Cost of a function that has not been measured."""
PRODUCT = 1.0
STRIDE = 5


class Case(NamedTuple):
    """One test of the suite.

    function: its function, `folder/file.py::name`.
    values:   name of the value of each of its parameters.
    family:   source files of the component that a contract test checks.
    """

    function: str
    values: tuple[str, ...] = ()
    family: str | None = None

    @property
    def file(self) -> str:
        """Path of its file."""
        return self.function.partition("::")[0]

    @property
    def folder(self) -> str:
        """Path of its folder."""
        return self.file.rpartition("/")[0]


def selected(cases: Sequence[Case], seconds: Mapping[str, float]) -> list[bool]:
    """Whether each case is in the default suite.

    Args:
        cases: all tests, in the order of the suite.
        seconds: CPU seconds of one case by function.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for position, case in enumerate(cases):
        positions[case.function].append(position)
    kept: set[int] = set()
    for function in _functions([cases[first] for first, *_ in positions.values()], seconds):
        chosen = positions[function]
        if len(chosen) * seconds.get(function, 0.0) > PRODUCT:
            chosen = [chosen[index] for index in _covering([cases[i] for i in chosen])]
        kept |= set(chosen)
    return [position in kept for position in range(len(cases))]


def _functions(cases: Sequence[Case], seconds: Mapping[str, float]) -> set[str]:
    """Functions that are kept, from one case of each."""
    kept, counts = set[str](), Counter[str]()
    for case in cases:
        cost = seconds.get(case.function, 0.0)
        if cost <= COSTLY or case.family:
            kept.add(case.function)
        elif cost <= EXPENSIVE:
            if counts[case.folder] % STRIDE == 0:
                kept.add(case.function)
            counts[case.folder] += 1
    covered = {case.file for case in cases if case.function in kept}
    for case in cases:
        if case.file not in covered:
            kept.add(case.function)
            covered.add(case.file)
    return kept


def _covering(cases: Sequence[Case]) -> list[int]:
    """Positions of the covering choice of the cases of one function."""
    if cases[0].family:
        families = [case.family for case in cases]
        return [index for index, family in enumerate(families) if family not in families[:index]]
    columns = zip(*(case.values for case in cases), strict=True)
    orders = [list(dict.fromkeys(column)) for column in columns]
    sums = [
        sum(order.index(value) for order, value in zip(orders, case.values, strict=True))
        for case in cases
    ]
    return [index for index, total in enumerate(sums) if total % STRIDE == 0]


def deselect(config: pytest.Config, items: list[pytest.Item], record: Path = RECORD) -> None:
    """Remove the tests that are not selected from `items`, if the command names no path."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    choosable = [item for item in items if not is_excluded(item)]
    costs = json.loads(record.read_text(encoding="utf-8"))
    seconds = {name: UNKNOWN if cost is None else cost for name, cost in costs.items()}
    choice = selected([_case(item) for item in choosable], seconds)
    omitted = {item for item, is_kept in zip(choosable, choice, strict=True) if not is_kept}
    config.hook.pytest_deselected(items=[item for item in items if item in omitted])
    items[:] = [item for item in items if item not in omitted]


def is_excluded(item: pytest.Item) -> bool:
    """Whether the rule does not apply to a test: a slow one, or one that is always skipped."""
    return any(item.get_closest_marker(name) for name in ("slow", "skip"))


def function_name(item: pytest.Item) -> str:
    """Name of the function of a test, `folder/file.py::name`."""
    return item.nodeid.partition("[")[0]


def _case(item: pytest.Item) -> Case:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return Case(function_name(item))
    family = getattr(callspec.params.get("row"), "family", None)
    return Case(function_name(item), tuple(callspec._idlist), family)


def first_cases(items: Iterable[pytest.Item]) -> dict[str, pytest.Item]:
    """First case of each function to which the rule applies."""
    found: dict[str, pytest.Item] = {}
    for item in items:
        if not is_excluded(item):
            found.setdefault(function_name(item), item)
    return found
