"""Mutants are tried on the tests that execute the code that depends on the changed line."""

import shutil
import textwrap

import pytest

from tests.mutation.source import dependents, importers, own_files
from tests.mutation.suite import EXCLUDED, MeasuredTest, selected
from tests.mutation.workers import ROOT

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
    """Folder of two modules, a package that re-exports one of them, and tests of both."""
    tmp_path = tmp_path / "checkout"
    files = {
        "aejax/__init__.py": "",
        "aejax/pieces/__init__.py": "from aejax.pieces.rates import RATE, scaled\n",
        "aejax/pieces/rates.py": RATES,
        "aejax/uses.py": USES,
        "tests/__init__.py": "",
        "tests/pieces/__init__.py": "",
        "tests/pieces/test_rates.py": "",
        "tests/test_uses.py": "from aejax.uses import twice\n",
        "tests/test_registry.py": "from aejax.pieces import scaled\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return tmp_path / "aejax"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (1, {"pieces/rates.py": {9}, "uses.py": {5}}),  # a constant: lines that mention it
        (2, {"pieces/rates.py": {13}}),
        (4, {"pieces/rates.py": {8, 9, 10}}),  # a signature: the function's body
        (6, {"pieces/rates.py": {8, 9, 10}}),
        (8, {"pieces/rates.py": {8}}),  # the header of a condition: itself
        (9, {"pieces/rates.py": {9}}),
    ],
)
def test_dependents_of_a_line(package, line, expected):
    assert dependents(package, "pieces/rates.py", line) == expected


def test_an_import_through_a_package_counts(package):
    assert importers(package, "pieces/rates.py") == ["pieces/__init__.py", "uses.py"]


def test_own_files_are_named_after_the_module_or_its_folder():
    assert own_files("losses.py") == {"tests/test_losses.py"}
    assert "tests/penalties/test_penalties.py" in own_files("penalties/decay.py")
    assert "tests/training/test_fitting.py" in own_files("training/fitting.py")


def names(package, tests: list[MeasuredTest], budget: float) -> list[str]:
    return [test.name for test in selected(package, tests, "pieces/rates.py", 9, budget)]


def test_own_tests_come_first_then_importing_ones_then_others_within_the_budget(package):
    lines = {"pieces/rates.py": [9]}
    tests = [
        MeasuredTest("tests/test_uses.py::slow", 5.0, lines),
        MeasuredTest("tests/test_uses.py::quick", 0.1, lines),
        MeasuredTest("tests/test_registry.py::one", 2.0, lines),
        MeasuredTest("tests/pieces/test_rates.py::own", 3.0, lines),
        MeasuredTest("tests/pieces/test_rates.py::elsewhere", 0.1, {"pieces/rates.py": [13]}),
    ]
    own, named, quick, slow = (tests[index].name for index in (3, 2, 1, 0))
    assert names(package, tests, 100) == [own, named, quick, slow]
    assert names(package, tests, 5.5) == [own, named, quick]
    assert names(package, tests, 1) == [own]


def test_a_constant_selects_tests_that_import_its_module_and_mention_it(package):
    (package.parent / "tests/test_registry.py").write_text("from aejax.pieces import RATE\n")
    tests = [
        MeasuredTest("tests/test_registry.py::one", 1.0, {}),
        MeasuredTest("tests/test_uses.py::two", 1.0, {}),
    ]
    found = selected(package, tests, "pieces/rates.py", 1, 10)
    assert [test.name for test in found] == ["tests/test_registry.py::one"]
    assert selected(package, tests, "pieces/rates.py", 9, 10) == []


def test_a_sample_is_proportional_to_the_mutants_of_each_module():
    mutants = pytest.importorskip("tests.mutation.mutants", reason="Cosmic Ray is not installed")
    population = {name: [(name, i) for i in range(n)] for name, n in (("a", 700), ("b", 300))}
    draw = mutants.sample(population, 100, 1, lambda mutant: mutant[1] % 7 > 0)
    assert len(set(draw)) == 100
    assert sum(name == "a" for name, _ in draw) == 70
    assert all(i % 7 for _, i in draw)
    assert draw == mutants.sample(population, 100, 1, lambda mutant: mutant[1] % 7 > 0)
    assert draw != mutants.sample(population, 100, 2, lambda mutant: mutant[1] % 7 > 0)


def test_every_exclusion_matches_a_file():
    mutants = pytest.importorskip("tests.mutation.mutants", reason="Cosmic Ray is not installed")
    modules = [path.relative_to(ROOT / "aejax") for path in (ROOT / "aejax").rglob("*.py")]
    tests = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")]
    for patterns, paths in ((mutants.EXCLUDED, modules), (EXCLUDED, tests)):
        matched = {glob for glob in patterns for path in paths if path.match(glob)}
        assert matched == set(patterns)


def test_bare_stars_and_annotations_are_not_mutated(tmp_path):
    mutants = pytest.importorskip("tests.mutation.mutants", reason="Cosmic Ray is not installed")
    text = "def f(x: int | str, y=2 * 3, *, z: int | None = 4 * 5):\n    return x\n"
    (tmp_path / "stars.py").write_text(text)
    found = mutants.mutants(tmp_path)["stars.py"]
    binary = [mutant.spec for mutant in found if "Binary" in mutant.spec.operator_name]
    assert {text[spec.start_pos[1] : spec.end_pos[1]] for spec in binary} == {"*"}
    assert {spec.start_pos[1] for spec in binary} == {text.index("* 3"), text.index("* 5")}


CHECKED = """
    from functools import cache

    from aejax.pieces import RATE, scaled

    @cache
    def half():
        return scaled(5)

    def test_first():
        assert half() > 0

    def test_second():
        assert half() == 0.5

    def test_other_side():
        assert scaled(-1) == 3

    def test_that_fails():
        assert RATE == 7
"""


@pytest.mark.slow
def test_mutants_are_killed_by_tests_that_execute_their_lines(package):
    mutants = pytest.importorskip("tests.mutation.mutants", reason="Cosmic Ray is not installed")
    from tests.mutation import run, suite

    checkout, folder = package.parent, package.parents[1]
    (checkout / "tests/pieces/test_rates.py").write_text(textwrap.dedent(CHECKED))
    for name in ("test_named", "test_uses"):
        (checkout / f"tests/{name}.py").write_text("def test_nothing():\n    pass\n")
    worker = folder / "worker"
    shutil.copytree(checkout, worker)
    tests, failing = suite.measure([worker], folder / "suite.jsonl")
    assert failing == ["tests/pieces/test_rates.py::test_that_fails"]
    lines = {test.name.partition("::")[2]: test.lines.get("pieces/rates.py", []) for test in tests}
    assert 9 in lines["test_first"]
    assert 9 in lines["test_second"]  # although the first test has cached the result
    assert 9 not in lines["test_other_side"]
    some = mutants.mutants(package)["pieces/rates.py"]
    records = run.try_all([worker], tests, some, 60.0, folder / "records.jsonl")
    outcomes = {(record.line, record.after): record.outcome for record in records}
    assert outcomes[9, "return x + RATE"] == "killed"
    assert outcomes[6, "by= 4,"] == "killed"
    assert outcomes[2, "OTHER = 3"] == "survived"
    assert outcomes[8, "if x >= 0:"] == "survived"
    assert (worker / "aejax/pieces/rates.py").read_text() == (
        package / "pieces/rates.py"
    ).read_text()
    again = run.try_all([worker], [], some, 60.0, folder / "records.jsonl")
    assert again == [run.Record(*record) for record in records]


def test_the_head_of_a_handler_is_a_statement(package):
    lines = ["def f(x):", "    try:", "        return 1 / x", "    except (", "        ValueError,"]
    lines += ["        ZeroDivisionError,", "    ):", "        return 0"]
    (package / "handled.py").write_text("\n".join(lines))
    assert dependents(package, "handled.py", 6) == {"handled.py": {4, 5, 6, 7}}
    assert dependents(package, "handled.py", 8) == {"handled.py": {8}}
