"""Verdicts on comparisons follow from intervals; unequal verdicts are mixed."""

import pytest

from aejax.report.verdicts import comparison_verdict, overall_verdict


@pytest.mark.parametrize(
    ("low", "high", "as_claimed", "word"),
    [
        (0.1, 0.3, True, "confirmed"),
        (-0.3, -0.1, True, "confirmed"),
        (0.1, 0.3, False, "refuted"),
        (-0.3, -0.1, False, "refuted"),
        (-0.1, 0.3, False, "undecided"),
        (0.0, 0.0, False, "undecided"),
    ],
)
def test_one_comparison(low, high, as_claimed, word):
    assert comparison_verdict(low, high, as_claimed) == word


@pytest.mark.parametrize("word", ["confirmed", "refuted", "undecided"])
def test_equal_verdicts_have_their_common_word(word):
    assert overall_verdict([word, word]) == word


def test_unequal_verdicts_are_mixed():
    assert overall_verdict(["confirmed", "refuted", "undecided"]) == "mixed"
    assert overall_verdict(["confirmed", "undecided"]) == "mixed"
