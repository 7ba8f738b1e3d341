"""The rule that gives verdicts, and the written form of certificates."""

import json

import numpy as np
import pytest

from aejax.theory import Certificate
from aejax.theory.checking.certificate import Evidence, Obstacle, Statement, Tolerance, certify

STATEMENT = Statement("two is two", "2 = 2", "Peano 1889")
TOLERANCE = Tolerance(1e-10, 1e-8, "rounding of two")


def verdict(residual, control, *, doubt="", tolerance=TOLERANCE):
    return certify(STATEMENT, tolerance, lambda: Evidence(residual, control, doubt)).verdict


def test_fields_are_those_of_the_written_results():
    assert Certificate._fields == (
        "claim",
        "formula",
        "source",
        "residual",
        "tolerance",
        "verdict",
        "reason",
        "control",
    )


@pytest.mark.parametrize(
    ("residual", "control", "expected"),
    [
        (0.0, 1.0, "holds"),
        (1e-10, 1.01e-7, "holds"),
        (1.01e-10, 1.0, "fails"),
        (np.nan, 1.0, "fails"),
        (np.inf, 1.0, "fails"),
        (0.0, 1e-7, "not identifiable"),  # the control must exceed 1000 tolerances
        (0.0, 0.0, "not identifiable"),
        (0.0, np.nan, "not identifiable"),
        (0.0, "no similar false statement", "holds"),
        (1.0, "no similar false statement", "fails"),
    ],
)
def test_the_verdict_follows_residual_tolerance_and_control(residual, control, expected):
    assert verdict(residual, control) == expected


def test_an_unconverged_solver_can_confirm_but_not_refute():
    assert verdict(1.0, 2.0, doubt="unconverged") == "not identifiable"
    assert verdict(0.0, 2.0, doubt="unconverged") == "holds"
    certificate = certify(STATEMENT, TOLERANCE, lambda: Evidence(1.0, 2.0, "unconverged"))
    assert certificate.reason.startswith("unconverged; ")


@pytest.mark.parametrize("value", [1.01e-8, np.inf, np.nan, -np.inf, -1e-12])
def test_a_tolerance_above_its_cap_is_not_identifiable_and_not_measured(value):
    def measure():
        raise AssertionError("measured")

    certificate = certify(STATEMENT, Tolerance(value, 1e-8, "a gap of zero"), measure)
    assert certificate.verdict == "not identifiable"
    assert "a gap of zero" in certificate.reason
    assert certificate.residual is certificate.tolerance is certificate.control is None


def test_a_tolerance_at_its_cap_is_measured():
    assert verdict(0.0, 1.0, tolerance=Tolerance(1e-8, 1e-8, "")) == "holds"


def test_an_obstacle_determines_the_verdict_without_measurement():
    obstacle = Obstacle("not applicable", "no variance")
    certificate = certify(STATEMENT, TOLERANCE, lambda: 1 / 0, obstacle=obstacle)
    assert (certificate.verdict, certificate.reason) == ("not applicable", "no variance")
    assert certificate.residual is None


def test_without_control_the_reason_explains_why():
    certificate = certify(STATEMENT, TOLERANCE, lambda: Evidence(0.0, "no similar statement"))
    assert certificate.control is None
    assert "no similar statement" in certificate.reason


@pytest.mark.parametrize("residual", [np.float64(1e-12), np.nan])
def test_it_serialises_to_json_without_nan(residual):
    certificate = certify(STATEMENT, TOLERANCE, lambda: Evidence(residual, np.float64(1.0)))
    written = json.loads(json.dumps(certificate._asdict(), allow_nan=False))
    assert Certificate(**written) == certificate
    assert written["control"] == 1.0
    assert written["tolerance"] == 1e-10


def test_str_contains_verdict_claim_measurements_and_reason():
    text = str(certify(STATEMENT, TOLERANCE, lambda: Evidence(1e-12, 0.5)))
    assert text.splitlines() == [
        "holds: two is two",
        "  2 = 2  (Peano 1889)",
        "  residual 1.0e-12, tolerance 1.0e-10, control 5.0e-01",
        "  rounding of two",
    ]
    unmeasured = certify(STATEMENT, TOLERANCE, lambda: 1 / 0, obstacle=Obstacle("fails", "why"))
    assert str(unmeasured).splitlines()[2:] == ["  why"]
