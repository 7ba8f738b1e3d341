"""Intervals over seeds equal those of SciPy's t tests."""

import numpy as np
import pytest
from scipy import stats

from aejax import evaluation

A, B = np.random.default_rng(0).normal(size=(2, 6)) + np.array([[0.0], [1.5]])


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_intervals_are_those_of_scipy(confidence):
    expected = stats.ttest_1samp(A, 0).confidence_interval(confidence)
    mean, low, high = evaluation.interval(A, confidence)
    np.testing.assert_allclose((mean, low, high), (A.mean(), *expected), rtol=1e-12)


def test_paired_differences_are_those_of_scipy():
    low, high = stats.ttest_rel(A, B).confidence_interval(0.95)
    found = evaluation.below(A, B)
    np.testing.assert_allclose(found[:3], (np.mean(A - B), low, high), rtol=1e-12)
    assert found.holds == (high < 0)
    assert evaluation.above(B, A).holds == found.holds
    assert not evaluation.above(A, B).holds
    assert evaluation.below(A, 10.0).holds


def test_a_single_seed_has_no_interval():
    with pytest.raises(ValueError, match=r"two or more, got shape \(1,\)"):
        evaluation.interval([1.0])
