"""Verdicts and reasons on data on which the assumptions of a theorem fail."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aejax import theory
from aejax.theory.checking.problem import rounding
from aejax.theory.checking.tolerances import training_excess_bound
from tests.theory import first
from tests.theory.degenerate_data import DATA, NORMAL
from tests.theory.spectra import with_spectrum

REPEATED = DATA["λ_3 = λ_4"]
RANK_3 = DATA["rank 3"]

HOLDS = ["holds"] * 6
NO_MAP = ["holds", "holds", "not identifiable", "holds", "not identifiable", "holds"]
NOT_APPLICABLE = ["not applicable"] * 6

CASES = {
    "distinct": (with_spectrum([6.0, 5.0, 4.0, 2.0, 1.0, 0.5]), 3, HOLDS),
    "repeated at k": (REPEATED, 3, NO_MAP),
    "repeated at k, offset": (REPEATED + 1e6, 3, NO_MAP),
    "repeated above k": (DATA["λ_1 = λ_2"], 3, HOLDS),
    "repeated below k": (DATA["λ_4 = λ_5 = λ_6"], 3, HOLDS),
    "rank < k": (DATA["rank 2"], 3, NO_MAP),
    "rank = k": (RANK_3, 3, HOLDS),
    "rank = k, offset": (RANK_3 + 1e6, 3, HOLDS),
    "m < n, k = m - 1": (DATA["four examples"], 3, HOLDS),
    "m = 2 < k": (DATA["two examples"], 3, NO_MAP),
    "m = 2, k = 1": (DATA["two examples"], 1, HOLDS),
    "two features": (DATA["two features"], 1, HOLDS),
    "constant feature": (DATA["last feature constant"], 3, HOLDS),
    "k = n": (NORMAL, 6, NOT_APPLICABLE),
    "k > n": (NORMAL, 7, NOT_APPLICABLE),
    "one feature": (DATA["one feature"], 1, NOT_APPLICABLE),
    "constant data": (DATA["constant"], 3, NOT_APPLICABLE),
    "large constant data": (DATA["constant, large"], 3, NOT_APPLICABLE),
    "zeros": (DATA["zeros"], 3, NOT_APPLICABLE),
    "one example": (DATA["one example"], 3, NOT_APPLICABLE),
    "spread below the rounding of an offset": (
        DATA["spread below the rounding of an offset"],
        3,
        NOT_APPLICABLE,
    ),
    "squares that underflow": (DATA["squares that underflow"], 3, HOLDS),
    "digits, large": (DATA["digits, huge unit"], 10, HOLDS),
    "digits, small": (DATA["digits, tiny unit"], 10, HOLDS),
    "digits, offset": (DATA["digits, huge offset"], 10, HOLDS),
}


SLOW = dict.fromkeys(("digits, large", "digits, small"), pytest.mark.slow)
"""Units of 1e±8, which test_tolerances.py and the last test below try on small data."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_the_verdicts_are_right(name):
    x, code, expected = CASES[name]
    answers = first.certificates(x, code)
    assert [answer.verdict for answer in answers] == expected
    for answer in answers:
        if answer.verdict == "holds":
            assert answer.residual <= answer.tolerance < answer.control / 1000
        else:
            assert answer.residual is answer.control is None  # nothing was measured


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("repeated at k", r"exceeds the cap 1e-0[68]: .* gap \(?σ_k − σ_\{k\+1\}"),
        ("rank < k", "rank 2 < code 3"),
        ("m = 2 < k", "rank 1 < code 3"),
        ("k = n", "code 6 ≥ 6 features: the identity attains zero loss"),
        ("constant data", "no feature varies"),
        ("one example", "no feature varies"),
    ],
)
def test_the_reason_names_the_quantity(name, reason):
    x, code, _ = CASES[name]
    reasons = [a.reason for a in first.certificates(x, code) if a.verdict != "holds"]
    assert reasons
    assert all(re.search(reason, given) for given in reasons), reasons


def test_the_loss_of_rank_k_data_is_zero_against_its_variance():
    attained, minimal = theory.optimal_loss(theory.pose(RANK_3, 3))
    assert attained.residual < 1e-28
    assert minimal.residual < 1e-14
    assert attained.control == pytest.approx(3 / 12)


@pytest.mark.parametrize(
    ("gap", "optimal", "trained"),
    [
        (1e-1, "holds", "holds"),
        (1e-3, "holds", "holds"),
        (1e-4, "not identifiable", "holds"),  # least squares would need too many steps
        (1e-7, "not identifiable", "not identifiable"),
    ],
)
def test_a_small_gap_leaves_the_maps_undetermined_but_not_the_loss(gap, optimal, trained):
    x = with_spectrum([5.0, 4.0, 3.0, 3.0 * (1 - gap), 2.0, 1.0])
    answers = first.certificates(x, 3)
    assert [answer.verdict for answer in answers] == [
        "holds",
        "holds",
        optimal,
        "holds",
        trained,
        "holds",
    ]


def test_the_training_excess_depends_on_the_smaller_of_eigengap_and_least_variance():
    """ε L + ρ² + 10 g² (Σλ)²/δ with g = 1e-12 and δ the smaller of the two."""
    for spectrum, flattest in (
        ([8.0, 4, 2, 1.9, 0.5, 0.4], 0.1),
        ([8.0, 4, 1, 0.5, 0.2, 0.1], 0.1),
    ):
        problem = theory.pose(with_spectrum(spectrum), 3)
        floor = 2.0**-52 * sum(spectrum[3:]) + rounding(problem) ** 2
        stopped = 10 * 1e-24 * sum(spectrum) ** 2 / flattest
        assert training_excess_bound(problem) == pytest.approx(floor + stopped, rel=1e-9, abs=0)


def test_least_squares_that_still_moves_is_not_identifiable_rather_than_false():
    x = with_spectrum([5.0, 4.0, 3.0, 3.0 * (1 - 2e-5), 2.0, 1.0])
    (answer,) = theory.optimal_map(theory.pose(x, 3))
    assert answer.verdict == "not identifiable"
    assert "least squares had not converged after 30000 steps" in answer.reason
    assert answer.residual > answer.tolerance


@pytest.mark.parametrize("code", [1, 3, 5])
def test_verdicts_at_condition_1e12_follow_from_rounding(code):
    """Closed forms from R, of condition 1e6, hold; those from S hold while the loss is large."""
    x = DATA["condition 1e12, 200 examples"]
    answers = first.certificates(x, code, theorems=("optimal_loss", "optimal_map"))
    expected = {
        1: ["holds", "holds", "holds"],
        3: ["holds", "not identifiable", "holds"],
        5: ["not identifiable", "not identifiable", "holds"],
    }[code]
    assert [answer.verdict for answer in answers] == expected


@pytest.mark.parametrize("code", [1, 3])
def test_a_condition_number_that_plain_gradient_cannot_resolve_is_preconditioned(code, monkeypatch):
    monkeypatch.setattr("aejax.theory.optimum.gradient.train_linear", lambda *_, **__: 1 / 0)
    x = DATA["condition 1e12, 200 examples"]
    for answer in theory.gradient_training(theory.pose(x, code)):
        assert answer.verdict == "holds", str(answer)
        assert answer.residual <= answer.tolerance / 2
        assert answer.reason.endswith("the encoder preconditioned")


def test_training_is_skipped_if_no_gradient_resolves_the_gap(monkeypatch):
    for solver in ("train_linear", "train_preconditioned"):
        monkeypatch.setattr(f"aejax.theory.optimum.gradient.{solver}", lambda *_, **__: 1 / 0)
    x = DATA["condition 1e16, 200 examples"]
    loss, map_ = theory.gradient_training(theory.pose(x, 5))
    assert loss.verdict == map_.verdict == "not identifiable"
    assert "excess loss" in loss.reason
    assert "gap" in map_.reason


@given(
    logs=st.lists(st.floats(-9, 0), min_size=6, max_size=6),
    power=st.floats(-8, 8),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_no_spectrum_scale_or_offset_makes_a_theorem_fail(logs, power, offset, seed):
    x = with_spectrum(np.sort(10.0 ** np.array(logs))[::-1], seed=seed)
    for answer in first.certificates(10.0**power * (x + offset), 3):
        assert answer.verdict in ("holds", "not identifiable"), str(answer)
