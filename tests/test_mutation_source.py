"""Mutants are put to the right tests: those that run what a changed line decides."""

import textwrap

import pytest

from mutation.source import dependents, importers, own_files
from mutation.suite import MeasuredTest, selected

RATES = """
    RATE = 0.1
    OTHER = 2

    def scaled(
        x,
        by=3,
    ):
        if x > 0:
            return x * RATE
        return by

    def unrelated():
        return OTHER
"""
USES = """
    from aejax.pieces import RATE, scaled

    def twice(x):
        y = scaled(x)
        return y + RATE
"""


@pytest.fixture
def package(tmp_path):
    """Two modules, a package that re-exports one of them, and tests of both."""
    files = {
        "aejax/__init__.py": "",
        "aejax/pieces/__init__.py": "from aejax.pieces.rates import RATE, scaled\n",
        "aejax/pieces/rates.py": RATES,
        "aejax/uses.py": USES,
        "tests/pieces/test_rates.py": "",
        "tests/test_uses.py": "from aejax.uses import twice\n",
        "tests/test_named.py": "from aejax.pieces import scaled\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return tmp_path / "aejax"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (1, {"pieces/rates.py": {9}, "uses.py": {5}}),  # a constant: where it is mentioned
        (2, {"pieces/rates.py": {13}}),
        (4, {"pieces/rates.py": {8, 9, 10}}),  # a signature: the whole body
        (6, {"pieces/rates.py": {8, 9, 10}}),
        (8, {"pieces/rates.py": {8}}),  # the head of a condition: itself
        (9, {"pieces/rates.py": {9}}),
    ],
)
def test_a_line_decides_statements(package, line, expected):
    assert dependents(package, "pieces/rates.py", line) == expected


def test_a_module_is_imported_through_its_package_too(package):
    assert importers(package, "pieces/rates.py") == ["pieces/__init__.py", "uses.py"]


def test_tests_are_a_module_s_own_by_its_name_or_its_folder_s():
    assert own_files("losses.py") == {"tests/test_losses.py"}
    assert "tests/test_penalties.py" in own_files("penalties/decay.py")
    assert "tests/training/test_fitting.py" in own_files("training/fitting.py")


def names(package, tests: list[MeasuredTest], budget: float) -> list[str]:
    return [test.name for test in selected(package, tests, "pieces/rates.py", 9, budget)]


def test_own_tests_come_first_then_those_that_import_then_the_quickest_while_time_is_left(package):
    lines = {"pieces/rates.py": [9]}
    tests = [
        MeasuredTest("tests/test_uses.py::slow", 5.0, lines),
        MeasuredTest("tests/test_uses.py::quick", 0.1, lines),
        MeasuredTest("tests/test_named.py::one", 2.0, lines),
        MeasuredTest("tests/pieces/test_rates.py::own", 3.0, lines),
        MeasuredTest("tests/pieces/test_rates.py::elsewhere", 0.1, {"pieces/rates.py": [13]}),
    ]
    own, named, quick, slow = (tests[index].name for index in (3, 2, 1, 0))
    assert names(package, tests, 100) == [own, named, quick, slow]
    assert names(package, tests, 5.5) == [own, named, quick]
    assert names(package, tests, 1) == [own]


def test_a_constant_is_put_to_tests_that_import_its_module_and_mention_it(package):
    (package.parent / "tests/test_named.py").write_text("from aejax.pieces import RATE\n")
    tests = [
        MeasuredTest("tests/test_named.py::one", 1.0, {}),
        MeasuredTest("tests/test_uses.py::two", 1.0, {}),
    ]
    found = selected(package, tests, "pieces/rates.py", 1, 10)
    assert [test.name for test in found] == ["tests/test_named.py::one"]
    assert selected(package, tests, "pieces/rates.py", 9, 10) == []


def test_a_sample_has_its_size_and_takes_from_every_module_in_proportion():
    mutants = pytest.importorskip("mutation.mutants", reason="Cosmic Ray is not installed")
    population = {name: [(name, i) for i in range(n)] for name, n in (("a", 700), ("b", 300))}
    draw = mutants.sample(population, 100, 1, lambda mutant: mutant[1] % 7 > 0)
    assert len(set(draw)) == 100
    assert sum(name == "a" for name, _ in draw) == 70
    assert all(i % 7 for _, i in draw)
    assert draw == mutants.sample(population, 100, 1, lambda mutant: mutant[1] % 7 > 0)
    assert draw != mutants.sample(population, 100, 2, lambda mutant: mutant[1] % 7 > 0)
