"""The mutants of definitions can be made, and the page says what its file of numbers says."""

import json
from pathlib import Path

import pytest

from tests.mutation import definitions
from tests.mutation.definitions_page import PAGE, SUMMARY, render

PACKAGE = Path(definitions.__file__).parents[2] / "aejax"
FOUND = json.loads(SUMMARY.read_text(encoding="utf-8"))
CATEGORIES = {"distribution", "divisor", "factor", "missing term", "rate", "sign", "transpose"}


@pytest.mark.parametrize("seed", range(3))
def test_every_mutant_changes_one_place_and_is_python(seed):
    for mutant in definitions.draw(seed):
        source = (PACKAGE / mutant.file).read_text(encoding="utf-8")
        changed = definitions.replaced(source, mutant)
        assert changed != source
        compile(changed, mutant.file, "exec")
        assert mutant.category in CATEGORIES
        assert "{}" not in mutant.name


def test_the_seed_draws_parameters_and_sample():
    assert definitions.draw(0) == definitions.draw(0)
    assert definitions.draw(0) != definitions.draw(1)
    some, others = (definitions.draw(seed, 20) for seed in (0, 1))
    assert len(some) == len(others) == 20
    assert [each.name for each in some] != [each.name for each in others]


def test_a_text_that_is_not_there_once_is_refused():
    mutant = definitions.draw(0)[0]
    with pytest.raises(ValueError, match="0 times, not once"):
        definitions.replaced("", mutant)


def test_the_page_is_what_its_command_writes():
    assert PAGE.read_text(encoding="utf-8") == render(FOUND)


def test_the_record_is_of_the_table_and_all_is_noticed_but_what_has_a_reason():
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
