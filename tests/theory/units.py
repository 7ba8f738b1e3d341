"""Invariance of certificates to the unit of the data."""

from aejax import theory


def assert_no_number_changes(theorem, x, code):
    """Scaling x by a power of two changes no digit of the data and must change no certificate."""
    once, scaled = (theorem(theory.pose(unit * x, code)) for unit in (1.0, 1024.0))
    for one, other in zip(once, scaled, strict=True):
        assert (one.verdict, one.residual, one.tolerance, one.control) == (
            other.verdict,
            other.residual,
            other.tolerance,
            other.control,
        ), one.claim
