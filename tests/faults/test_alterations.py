"""Altered files of a run are refused by name or change nothing; the report counts outcomes."""

from collections import Counter
from pathlib import Path

import pytest

from tests.faults import alterations, page
from tests.faults.alterations import COMMANDS, Found, injections, prepare, summary


@pytest.fixture(scope="module")
def runs(tmp_path_factory, compiled_once):
    """Folder with two runs, their exports and new data."""
    folder = tmp_path_factory.mktemp("altered") / "runs"
    prepare(folder)
    return folder


def check(found: list[Found]) -> None:
    assert [each for each in found if each.outcome == "lost"] == []
    assert sum(each.outcome == "refused" for each in found) > len(found) / 4


def test_a_sample_is_refused_by_name_or_changes_nothing(runs):
    check(list(injections(runs, 16, 1, ["encode", "encode the export"])))


@pytest.mark.slow
def test_a_larger_sample_of_every_command(runs):
    check(list(injections(runs, 10 * len(COMMANDS), 2, list(COMMANDS))))


def test_different_results_count_as_lost(runs, monkeypatch):
    def encode_something_else(line: str) -> tuple[int, str]:
        Path("out.npy").write_text(str(next(numbers)))
        return 0, ""

    numbers = iter(range(10))
    monkeypatch.setattr(alterations, "_call", encode_something_else)
    found = list(injections(runs, 3, 0, ["encode"]))
    assert [each.outcome for each in found] == ["lost"] * 3


FOUND = [
    Found("flipped", "run/metrics.json", "report", "refused", "aejax: run/metrics.json is not"),
    Found("flipped", "run/metrics.json", "encode", "same", ""),
    Found("deleted", "run/history.jsonl", "report", "lost", "KeyError"),
]


def test_the_report_counts_outcomes():
    found = summary(FOUND, seed=3)
    assert Counter(row["lost"] for row in found["rows"]) == {0: 1, 1: 1}
    text = page.render_alterations(found)
    assert "**3 injections: 1 refused by name, 1 with the same results, 1 lost.**" in text
    assert "| run/metrics.json | flipped | 1 | 1 | 0 |" in text
    assert "| run/history.jsonl | deleted | 0 | 0 | 1 |" in text
