"""Verdicts of theorems, worst ratios and counts, for certificates made by hand."""

import math

import pytest

from aejax.theory import Certificate
from aejax.theory.checking.verdict_summary import (
    counts_of_verdicts,
    listed_counts,
    theorem_verdict,
    worst_ratio,
)


def certificate(verdict, residual=None, tolerance=None):
    return Certificate("claim", "formula", "source", residual, tolerance, verdict, "reason", None)


HOLDS, FAILS = certificate("holds", 1e-9, 1e-8), certificate("fails", 3e-8, 1e-8)
OPEN, OUTSIDE = certificate("not identifiable"), certificate("not applicable")


@pytest.mark.parametrize(
    ("certificates", "verdict"),
    [
        ([HOLDS, HOLDS], "holds"),
        ([HOLDS, FAILS, OPEN], "fails"),
        ([HOLDS, OPEN, OUTSIDE], "not identifiable"),
        ([OUTSIDE, HOLDS], "holds"),
        ([OUTSIDE], "not applicable"),
    ],
)
def test_a_theorem_has_the_most_serious_verdict_of_its_certificates(certificates, verdict):
    assert theorem_verdict(certificates) == verdict


def test_the_worst_ratio_ignores_what_was_not_measured():
    assert worst_ratio([HOLDS, OPEN, FAILS]) == pytest.approx(3)
    assert worst_ratio([OPEN, OUTSIDE]) is None
    assert worst_ratio([certificate("holds", 0.0, 0.0)]) == 0
    assert worst_ratio([HOLDS, certificate("fails", 1e-300, 0.0)]) == math.inf


def test_counts_are_listed_in_the_order_of_the_verdicts():
    assert counts_of_verdicts([OUTSIDE, FAILS, HOLDS, FAILS]) == "1 holds, 2 fail, 1 not applicable"
    assert listed_counts({"not identifiable": 2, "holds": 3}) == "3 hold, 2 not identifiable"
