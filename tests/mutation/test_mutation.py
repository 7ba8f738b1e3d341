"""The report on mutation testing matches its data, and every survivor has a reason."""

import json
from collections import Counter

import pytest

from tests.mutation import page

FOUND = json.loads(page.SUMMARY.read_text(encoding="utf-8"))


def test_the_report_matches_its_data():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(FOUND, page.reasons())


def test_nine_in_ten_mutants_are_killed():
    counts = Counter()
    for row in FOUND["modules"].values():
        counts.update(row)
    assert counts["tried"] == counts["killed"] + counts["timeout"] + counts["survived"] >= 100
    left = [record for record in FOUND["survivors"] if not record["killed_since_by"]]
    assert len(FOUND["survivors"]) == counts["survived"]
    assert 1 - len(left) / counts["tried"] >= 0.9


def test_a_survivor_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="each survivor needs one reason"):
        page.render(FOUND, [])
