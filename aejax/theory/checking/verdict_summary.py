"""Summaries of certificates: the verdict of a theorem, its worst ratio, and counts of verdicts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from aejax.theory.checking.certificate import Certificate, Verdict

SEVERITY: tuple[Verdict, ...] = ("fails", "not identifiable", "holds", "not applicable")
"""Verdicts in the order in which they determine the verdict of a theorem."""


def theorem_verdict(certificates: Sequence[Certificate]) -> Verdict:
    """Verdict of a theorem: the first of its certificates' verdicts in the order of `SEVERITY`.

    Args:
        certificates: certificates of one theorem, at least one.

    Returns:
        `fails` if one fails; else `not identifiable` if the data cannot decide one; else `holds` if
        one holds; else `not applicable`.
    """
    found = {certificate.verdict for certificate in certificates}
    return next(verdict for verdict in SEVERITY if verdict in found)


def worst_ratio(certificates: Sequence[Certificate]) -> float | None:
    """Largest ratio of residual and tolerance.

    Args:
        certificates: any certificates.

    Returns:
        The ratio, at most 1 if all statements hold; infinity for a residual above a tolerance of
        zero; None if nothing was measured.
    """
    ratios = [
        _ratio(each.residual, each.tolerance)
        for each in certificates
        if each.residual is not None and each.tolerance is not None
    ]
    return max(ratios, default=None)


def counts_of_verdicts(certificates: Sequence[Certificate]) -> str:
    """Count the certificates per verdict, as text: "5 hold, 1 not applicable"."""
    return listed_counts(Counter(certificate.verdict for certificate in certificates))


def listed_counts(counts: Mapping[str, int]) -> str:
    """Format the counts of verdicts as text.

    Args:
        counts: verdict -> count.

    Returns:
        The counts above zero in the order of `Verdict`, such as "5 hold, 1 not applicable".
    """
    plural = {"holds": "hold", "fails": "fail"}
    return ", ".join(
        f"{counts[verdict]} {verdict if counts[verdict] == 1 else plural.get(verdict, verdict)}"
        for verdict in get_args(Verdict)
        if counts.get(verdict)
    )


def _ratio(residual: float, tolerance: float) -> float:
    if tolerance > 0:
        return residual / tolerance
    return float("inf") if residual > 0 else 0.0
