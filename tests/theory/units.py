"""A theorem asked in two units of measurement."""

from aejax import theory


def assert_no_number_changes(theorem, x, code):
    """A unit that is a power of two times the old changes no digit of the data, nor of verdicts."""
    once, scaled = (theorem(theory.pose(unit * x, code)) for unit in (1.0, 1024.0))
    for one, other in zip(once, scaled, strict=True):
        assert (one.verdict, one.residual, one.tolerance, one.control) == (
            other.verdict,
            other.residual,
            other.tolerance,
            other.control,
        ), one.claim
