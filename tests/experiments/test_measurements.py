"""The tables of saddle indices, orders and epochs match the record and the theory."""

import json

import numpy as np
import pytest

from experiments.harness import measurements
from experiments.harness.markdown import replace_section, table
from tests.documents import read

RESULTS = json.loads(measurements.RESULTS.read_text(encoding="utf-8"))


def test_the_document_contains_the_tables_of_the_record():
    text = read("theory/measurements.md")
    assert replace_section(text, measurements.COMMAND, measurements.render(RESULTS)) == text


def test_the_record_has_42_indices_as_predicted_and_one_minimum():
    found = RESULTS["indices"]
    assert len({tuple(each["subset"]) for each in found}) == len(found) == 42
    assert all(each["predicted"] == each["counted"] for each in found)
    (minimum,) = [each for each in found if each["counted"][0] == 0]
    assert minimum["subset"] == [1, 2, 3]
    assert minimum["loss"] == pytest.approx(3.5)  # 2 + 1 + 0.5


def test_the_recorded_indices_are_reproduced():
    assert [each["counted"] for each in measurements.indices()] == [
        each["counted"] for each in RESULTS["indices"]
    ]


def test_orders_of_convergence_are_as_predicted():
    descent = np.array(RESULTS["orders"]["descent"])
    assert descent.shape == (6, 10)
    assert (np.abs(descent - 1) < 0.1).all()
    for each in RESULTS["orders"]["encoders"].values():
        assert np.abs(np.array(each["measured"][-3:]) - each["order"]).max() < 0.1


def test_three_methods_align_rotation_first_and_the_controls_never():
    found = RESULTS["alignments"]
    for width in map(str, measurements.WIDTHS):
        unequal, nested, rotation = (
            np.mean(found[method][width]) for method in ("unequal L2", "nested dropout", "rotation")
        )
        assert rotation < nested < unequal
        assert found["plain"][width] == [None] * measurements.SEEDS


def test_a_cell_says_how_many_never_aligned():
    results = RESULTS | {"alignments": {"rotation": {f"{w}": [10, 20, None] for w in (16,)}}}
    results["alignments"]["rotation"] |= {f"{w}": [None] * 3 for w in measurements.WIDTHS[1:]}
    text = measurements.render(results)
    assert "| rotation | 15 (1 never) | never | never |" in text


def test_a_section_is_replaced_and_the_rest_is_preserved():
    begin, end = (f"<!-- written by `make it`: {which} -->" for which in ("begin", "end"))
    document = f"before\n{begin}\nstale\n{end}\nafter"
    assert replace_section(document, "make it", "new") == f"before\n{begin}\n\nnew\n\n{end}\nafter"
    with pytest.raises(ValueError, match="unpack"):
        replace_section("no marks", "make it", "new")


def test_a_table_has_a_rule_below_its_header():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
