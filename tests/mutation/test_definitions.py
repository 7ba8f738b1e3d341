"""Definition mutants can be applied, and the committed report matches its data."""

import json
from pathlib import Path

import pytest

from aejax import theory
from tests.mutation import definitions
from tests.mutation.definitions_page import PAGE, SUMMARY, render

PACKAGE = Path(definitions.__file__).parents[2] / "aejax"
FOUND = json.loads(SUMMARY.read_text(encoding="utf-8"))
CATEGORIES = {"distribution", "divisor", "factor", "missing term", "rate", "sign", "transpose"}


@pytest.mark.parametrize("seed", range(3))
def test_every_mutant_changes_one_place_and_compiles(seed):
    for mutant in definitions.draw(seed):
        source = (PACKAGE / mutant.file).read_text(encoding="utf-8")
        changed = definitions.replaced(source, mutant)
        assert changed != source
        compile(changed, mutant.file, "exec")
        assert mutant.category in CATEGORIES
        assert "{}" not in mutant.name


def test_every_mutant_names_files_and_theorems_that_exist():
    for mutant in definitions.draw(0):
        assert (PACKAGE / mutant.file).is_file(), mutant.file
        assert not mutant.test or (PACKAGE.parent / mutant.test).is_file(), mutant.test
        assert set(mutant.theorems) <= set(theory.THEOREMS), mutant.theorems


def test_the_seed_decides_parameters_and_sample():
    assert definitions.draw(0) == definitions.draw(0)
    assert definitions.draw(0) != definitions.draw(1)
    some, others = (definitions.draw(seed, 20) for seed in (0, 1))
    assert len(some) == len(others) == 20
    assert [each.name for each in some] != [each.name for each in others]


def test_a_text_that_does_not_occur_once_is_refused():
    mutant = definitions.draw(0)[0]
    with pytest.raises(ValueError, match="0 times, not once"):
        definitions.replaced("", mutant)


def test_the_report_matches_its_data():
    assert PAGE.read_text(encoding="utf-8") == render(FOUND)


def test_the_record_covers_the_table_and_only_mutants_with_a_reason_are_unnoticed():
    records = FOUND["mutants"]
    assert [each["name"] for each in records] == [
        each.name for each in definitions.draw(FOUND["seed"])
    ]
    assert len(records) >= 100
    for each in records:
        assert bool(each["noticed"] or each["killed"]) != bool(each["reason"]), each["name"]


def test_an_unnoticed_mutant_without_a_reason_is_refused():
    (*others, last) = FOUND["mutants"]
    silent = last | {"noticed": {}, "killed": False, "reason": ""}
    with pytest.raises(ValueError, match="unnoticed without a reason"):
        render(FOUND | {"mutants": [*others, silent]})
