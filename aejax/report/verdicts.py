"""Verdicts on comparisons: confirmed, refuted, undecided, or mixed for several comparisons."""

from collections.abc import Iterable


def comparison_verdict(low: float, high: float, as_claimed: bool) -> str:
    """Judge one comparison by the interval of its difference.

    Args:
        low: lower end of the interval.
        high: upper end of the interval.
        as_claimed: whether the whole interval is on the claimed side of zero.

    Returns:
        "confirmed" if the interval is on the claimed side, "undecided" if it contains zero, and
        "refuted" otherwise.
    """
    if as_claimed:
        return "confirmed"
    return "undecided" if low <= 0 <= high else "refuted"


def overall_verdict(verdicts: Iterable[str]) -> str:
    """Summarise verdicts: their common word, or "mixed" if they differ."""
    distinct = set(verdicts)
    return distinct.pop() if len(distinct) == 1 else "mixed"
