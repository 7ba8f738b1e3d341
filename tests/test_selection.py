"""The rule that chooses the default suite, on invented costs and on the tests of this project."""

import itertools
import json
from types import SimpleNamespace

import pytest

from tests import selection
from tests.contract.rows import ROWS
from tests.selection import RECORD, STRIDE, Case, selected

COST = 2.0
NAMES = ["test_a", "test_b", "test_c", "test_d", "test_slow", "test_e", "test_f"]


def kept(cases, seconds):
    return [case for case, is_kept in zip(cases, selected(cases, seconds), strict=True) if is_kept]


def test_cheap_functions_and_functions_without_a_record_keep_all_cases():
    cases = [Case("a/test_b.py::test_c", (str(value),)) for value in range(9)]
    assert kept(cases, {}) == cases
    assert kept(cases, {"a/test_b.py::test_c": 0.1}) == cases


def test_every_fifth_costly_function_of_a_folder_is_kept():
    cases = [Case(f"a/test_b.py::test_{i}") for i in range(9)] + [Case("c/test_d.py::test_e")]
    found = kept(cases, {case.function: COST for case in cases})
    assert found == [*cases[:9:STRIDE], cases[-1]]


def test_an_expensive_function_is_kept_only_if_its_file_has_no_other():
    cases = [Case("a/test_b.py::test_c"), Case("a/test_b.py::test_d"), Case("a/test_e.py::test_f")]
    assert kept(cases, {cases[0].function: 60.0, cases[2].function: 60.0}) == cases[1:]


def test_every_file_keeps_a_test():
    cases = [Case(f"a/test_{i}.py::test_{j}") for i in range(9) for j in range(2)]
    found = kept(cases, {case.function: COST for case in cases})
    assert {case.file for case in found} == {case.file for case in cases}
    assert len(found) == 9


def test_the_choice_of_cases_has_every_value_of_each_parameter():
    products = itertools.product("abcdefg", "ijklm")
    cases = [Case("a/test_b.py::test_c", values) for values in products]
    found = kept(cases, {"a/test_b.py::test_c": 0.4})
    assert len(found) == len(cases) / STRIDE
    assert {values[0] for _, values, _ in found} == set("abcdefg")
    assert {values[1] for _, values, _ in found} == set("ijklm")


def test_a_costly_contract_test_has_one_row_of_each_family():
    name = "tests/contract/test_contract.py::test_jit_equals_eager"
    cases = [Case(name, (row.name,), row.family) for row in ROWS]
    found = kept(cases, {name: COST})
    families = [case.family for case in found]
    assert sorted(families) == sorted({row.family for row in ROWS})
    files = {file for family in families for file in family.split()}
    for component in ("models/dense.py", "losses.py", "penalties/auxk.py", "corruptions/"):
        assert any(f"aejax/{component}" in file for file in files)


def test_recorded_costs_are_seconds():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert record
    assert all(
        name.count(".py::") == 1 and (cost is None or cost >= 0) for name, cost in record.items()
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("TESTPATHS", ["test_a", "test_slow", "test_f"]),  # of five costly ones, the first
        ("ARGS", NAMES),
    ],
)
def test_only_a_command_without_paths_is_reduced_and_slow_tests_stay(source, expected, tmp_path):
    items = [Item(name) for name in NAMES]
    record, omitted = tmp_path / "costs.json", []
    record.write_text(json.dumps({item.nodeid: COST for item in items}))
    config = SimpleNamespace(
        args_source=pytest.Config.ArgsSource[source],
        hook=SimpleNamespace(pytest_deselected=lambda items: omitted.extend(items)),
    )
    selection.deselect(config, items, record)
    assert [item.name for item in items] == expected
    assert len(items) + len(omitted) == len(NAMES)


class Item:
    """A test as pytest collects it."""

    def __init__(self, name: str) -> None:
        self.name, self.nodeid = name, f"tests/a/test_b.py::{name}"

    def get_closest_marker(self, name: str) -> bool:
        return self.name == f"test_{name}"
