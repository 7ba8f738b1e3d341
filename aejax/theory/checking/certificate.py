"""Certificates: a theorem's claim, its measured residual, and the rule that gives the verdict."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Verdict = Literal["holds", "fails", "not identifiable", "not applicable"]
ControlVerdict = Literal["rejected", "not rejected", "none"]

CONTROL_MARGIN = 1000.0
"""Minimum ratio of a control's residual to the tolerance for the control to be rejected."""


class Certificate(NamedTuple):
    """The result of a theorem's check on data.

    claim:     the theorem in words.
    formula:   the theorem in symbols.
    source:    author and year of the proof.
    residual:  distance of the data from the formula; None if not measured.
    tolerance: maximum residual that rounding explains; None if not measured.
    verdict:   `holds`, `fails`, `not identifiable` or `not applicable`.
    reason:    explanation of the verdict and the tolerance, with numbers.
    control:   residual of a similar but false statement, computed by the same code; None if not
               measured, or if the reason explains why there is no control.

    `_asdict()` contains strings, finite floats and None only, so it can be written as JSON.
    """

    claim: str
    formula: str
    source: str
    residual: float | None
    tolerance: float | None
    verdict: Verdict
    reason: str
    control: float | None

    @property
    def control_verdict(self) -> ControlVerdict:
        """Whether the false statement was rejected; `none` if there was no control."""
        if self.control is None or self.tolerance is None:
            return "none"
        return "rejected" if _rejected(self.control, self.tolerance) else "not rejected"

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.claim}", f"  {self.formula}  ({self.source})"]
        measured = {
            "residual": self.residual,
            "tolerance": self.tolerance,
            "control": self.control,
        }
        numbers = [f"{name} {x:.1e}" for name, x in measured.items() if x is not None]
        lines += [f"  {', '.join(numbers)}"] if numbers else []
        return "\n".join([*lines, f"  {self.reason}"])


class Statement(NamedTuple):
    """The statement of a theorem: the fields of a `Certificate` that do not depend on data."""

    claim: str
    formula: str
    source: str


class Tolerance(NamedTuple):
    """Maximum residual that rounding explains.

    value: tolerance, possibly infinite.
    cap:   maximum useful tolerance; above it the statement is not identifiable.
    basis: quantities from which the tolerance was derived, as text.
    """

    value: float
    cap: float
    basis: str


def rescaled_residual(residual: float, old: Tolerance, new: Tolerance) -> float:
    """Rescale a residual from one tolerance to another: residual · new/old.

    Args:
        residual: residual of an additional measurement of a statement.
        old: tolerance of that residual; if it is infinite, the result is zero.
        new: tolerance of the statement.

    Returns:
        The residual in the units of the statement's tolerance.
    """
    return residual * new.value / old.value if math.isfinite(old.value) else 0.0


class Evidence(NamedTuple):
    """Measurements for a certificate.

    residual: measured deviation from the statement.
    control:  residual of a similar but false statement, computed by the same code, or the reason
              why there is no control.
    doubt:    reason why a residual above the tolerance does not refute the statement, such as a
              solver that stopped before it converged; empty if there is none.
    """

    residual: float
    control: float | str
    doubt: str = ""


class Obstacle(NamedTuple):
    """Reason why the data cannot decide a statement, known before any measurement."""

    verdict: Verdict
    reason: str


def certify(
    statement: Statement,
    tolerance: Tolerance,
    measure: Callable[[], Evidence],
    *,
    obstacle: Obstacle | None = None,
) -> Certificate:
    """Measure a statement and give its verdict; no other function decides verdicts.

    An obstacle determines the verdict. Otherwise the statement `holds` if residual ≤ tolerance ≤
    cap and control > 1000 · tolerance (if there is a control), and `fails` if the residual exceeds
    the tolerance (or is NaN) and the evidence has no doubt. All else is `not identifiable`: a
    tolerance above its cap, a residual in doubt, or a control that is not rejected.

    Args:
        statement: claim, formula and source.
        tolerance: value, cap and basis.
        measure: function that measures the statement; not called if the verdict does not need it.
        obstacle: why the data cannot decide the statement (default: None).

    Returns:
        The `Certificate`; residual, tolerance and control are None if nothing was measured.
    """
    if obstacle is not None:
        return _unmeasured(statement, obstacle)
    if not 0 <= tolerance.value <= tolerance.cap:
        excess = f"a tolerance of {tolerance.value:.0e} exceeds the cap {tolerance.cap:.0e}"
        reason = f"{excess}: {tolerance.basis}"
        return _unmeasured(statement, Obstacle("not identifiable", reason))
    evidence = measure()
    verdict, reason = _judge(evidence, tolerance)
    control = None if isinstance(evidence.control, str) else _finite(evidence.control)
    residual = _finite(evidence.residual)
    return Certificate(*statement, residual, float(tolerance.value), verdict, reason, control)


def refuse(statements: Sequence[Statement], obstacle: Obstacle) -> tuple[Certificate, ...]:
    """Certificates of statements that the data cannot decide and that have no tolerance.

    Args:
        statements: statements of one theorem.
        obstacle: why the data cannot decide them.

    Returns:
        One unmeasured certificate per statement.
    """
    return tuple(_unmeasured(statement, obstacle) for statement in statements)


def _judge(evidence: Evidence, tolerance: Tolerance) -> tuple[Verdict, str]:
    residual, control, doubt = evidence
    if not residual <= tolerance.value:  # true for NaN too
        excess = f"residual {residual:.1e} exceeds the tolerance; {tolerance.basis}"
        return ("not identifiable", f"{doubt}; {excess}") if doubt else ("fails", excess)
    if isinstance(control, str):
        return "holds", f"no control: {control}; {tolerance.basis}"
    if not _rejected(control, tolerance.value):
        close = f"the control's residual {control:.1e} is within {CONTROL_MARGIN:.0f} tolerances"
        return "not identifiable", f"{close}; {tolerance.basis}"
    return "holds", tolerance.basis


def _rejected(control: float, tolerance: float) -> bool:
    return bool(control > CONTROL_MARGIN * tolerance)  # not numpy.bool


def _unmeasured(statement: Statement, obstacle: Obstacle) -> Certificate:
    return Certificate(*statement, None, None, obstacle.verdict, obstacle.reason, None)


def _finite(value: float) -> float | None:
    """A float for JSON: NaN and infinity become None; the reason reports them."""
    return float(value) if math.isfinite(value) else None
