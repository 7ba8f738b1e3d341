"""The report on mutation testing matches its data, and every survivor has a reason."""

import json
from collections import Counter

import pytest

from tests.mutation import page

FOUND = json.loads(page.SUMMARY.read_text(encoding="utf-8"))


def test_the_report_matches_its_data():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(FOUND, page.reasons())


def test_most_mutants_that_are_not_harmless_are_killed():
    counts = Counter()
    for row in FOUND["modules"].values():
        counts.update(row)
    assert counts["tried"] == counts["killed"] + counts["timeout"] + counts["survived"] >= 100
    assert len(FOUND["survivors"]) == counts["survived"]
    effective = counts["tried"] - page.harmless(FOUND, page.reasons())
    assert counts["killed"] + counts["timeout"] >= 0.92 * effective
    assert counts["killed"] + counts["timeout"] >= 0.8 * counts["tried"]


def test_a_survivor_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="each survivor needs one reason"):
        page.render(FOUND, [])
