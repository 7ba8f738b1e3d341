"""A certificate: what a theorem claims, what was measured, and the one rule that judges it."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Verdict = Literal["holds", "fails", "not identifiable", "not applicable"]
ControlVerdict = Literal["rejected", "not rejected", "none"]

CONTROL_MARGIN = 1000.0
"""A control is rejected where its residual exceeds this many tolerances."""


class Certificate(NamedTuple):
    """A theorem, checked on data.

    claim:     the theorem in words.
    formula:   the theorem in symbols.
    source:    author, year, and where it is proved.
    residual:  how far the data is from the formula; None where it was not measured.
    tolerance: the residual that rounding explains; None where none could be given.
    verdict:   `holds`, `fails`, `not identifiable` or `not applicable`.
    reason:    what the verdict and the tolerance rest on, with its numbers.
    control:   residual of a nearby false statement, put through the same code; None where it was
               not measured, or where the reason says why no control applies.

    `_asdict()` gives plain strings and finite numbers, which JSON holds.
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
        """Whether the false statement was told apart; `none` where the reason says why not."""
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
    """What a theorem says: the fields of a `Certificate` that no data changes."""

    claim: str
    formula: str
    source: str


class Tolerance(NamedTuple):
    """The residual that rounding explains.

    value: the tolerance, which may be infinite.
    cap:   beyond it a residual says nothing, and the statement is not identifiable.
    basis: the quantities that it was derived from, in words and numbers.
    """

    value: float
    cap: float
    basis: str


def rescaled_residual(residual: float, own: Tolerance, tolerance: Tolerance) -> float:
    """A residual that has a tolerance of its own, in the units of the statement's.

    Args:
        residual: of another measurement of the same statement.
        own: its tolerance; one that is infinite makes it say nothing.
        tolerance: of the statement.

    Returns:
        The residual that is as many of the statement's tolerances as this is of its own.
    """
    return residual * tolerance.value / own.value if math.isfinite(own.value) else 0.0


class Evidence(NamedTuple):
    """What was measured.

    residual: distance of the data from the statement.
    control:  residual of a nearby false statement through the same code, or the words why no
              control applies.
    doubt:    why a residual beyond the tolerance would not refute the statement: a solver that
              stopped short. Empty where it would.
    """

    residual: float
    control: float | str
    doubt: str = ""


class Obstacle(NamedTuple):
    """Why the data cannot answer, known before anything is measured."""

    verdict: Verdict
    reason: str


def certify(
    statement: Statement,
    tolerance: Tolerance,
    measure: Callable[[], Evidence],
    *,
    obstacle: Obstacle | None = None,
) -> Certificate:
    """Judge a statement: the one place where a verdict is made.

    It `holds` where residual ≤ tolerance ≤ cap and control > 1000 · tolerance. It `fails` where
    the residual exceeds the tolerance (or is not a number) and the evidence has no doubt. An
    obstacle is the verdict itself. All else is `not identifiable`: a tolerance beyond its cap, a
    solver that stopped short, or a control that the data cannot tell from the statement.

    Args:
        statement: claim, formula and source.
        tolerance: value, cap and basis.
        measure: called only where its answer would count, since it may train.
        obstacle: why the data cannot answer.

    Returns:
        The `Certificate`; residual, tolerance and control are None where nothing was measured.
    """
    if obstacle is not None:
        return _unmeasured(statement, obstacle)
    if not 0 <= tolerance.value <= tolerance.cap:
        beyond = f"a tolerance of {tolerance.value:.0e} exceeds the cap {tolerance.cap:.0e}"
        reason = f"{beyond}: {tolerance.basis}"
        return _unmeasured(statement, Obstacle("not identifiable", reason))
    evidence = measure()
    verdict, reason = _judge(evidence, tolerance)
    control = None if isinstance(evidence.control, str) else _finite(evidence.control)
    residual = _finite(evidence.residual)
    return Certificate(*statement, residual, float(tolerance.value), verdict, reason, control)


def refuse(statements: Sequence[Statement], obstacle: Obstacle) -> tuple[Certificate, ...]:
    """Certificates of statements that the data cannot answer, where even a tolerance has no sense.

    Args:
        statements: of one theorem.
        obstacle: why.

    Returns:
        A certificate each, unmeasured.
    """
    return tuple(_unmeasured(statement, obstacle) for statement in statements)


def _judge(evidence: Evidence, tolerance: Tolerance) -> tuple[Verdict, str]:
    residual, control, doubt = evidence
    if not residual <= tolerance.value:  # so written that a residual of NaN does not hold
        excess = f"residual {residual:.1e} exceeds the tolerance; {tolerance.basis}"
        return ("not identifiable", f"{doubt}; {excess}") if doubt else ("fails", excess)
    if isinstance(control, str):
        return "holds", f"no control: {control}; {tolerance.basis}"
    if not _rejected(control, tolerance.value):
        close = f"the control's residual {control:.1e} is within {CONTROL_MARGIN:.0f} tolerances"
        return "not identifiable", f"{close}; {tolerance.basis}"
    return "holds", tolerance.basis


def _rejected(control: float, tolerance: float) -> bool:
    return bool(control > CONTROL_MARGIN * tolerance)  # a number of NumPy compares as NumPy's


def _unmeasured(statement: Statement, obstacle: Obstacle) -> Certificate:
    return Certificate(*statement, None, None, obstacle.verdict, obstacle.reason, None)


def _finite(value: float) -> float | None:
    """The number as JSON can hold it: NaN and infinity become None, and the reason names them."""
    return float(value) if math.isfinite(value) else None
