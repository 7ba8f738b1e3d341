"""Support matrix: every pair of components, compiled for a target that is not at hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

from aejax import planning
from aejax.planning import find_target, target_devices
from aejax.studies.part_cache import PartCache, Results
from tests.accelerators.covering import Choice, covering_choices
from tests.accelerators.programs import BATCH_SIZE, axes, is_refused, program, refusal

DEPENDENT = ("loss", "penalty", "noise")
"""Axes whose components may not suit a model."""

COMPLETE = ("model", "precision", "placement")
"""Axes of which all combinations are compiled; of the others, all pairs."""


class Exclusion(NamedTuple):
    """A component that aejax refuses with a model.

    model:  name of the model.
    axis:   axis of the component.
    value:  name of the component.
    reason: message of the error.
    """

    model: str
    axis: str
    value: str
    reason: str


def exclusions(cache: PartCache) -> list[Exclusion]:
    """Try every loss, penalty and noise with every model, without compiling anything.

    Args:
        cache: (name of a part, function) -> its results, computed at most once.
    """
    names = axes()

    def refused(model: str) -> Results:
        pairs = [(axis, value) for axis in DEPENDENT for value in names[axis]]
        reasons = {pair: refusal({"model": model, pair[0]: pair[1]}) for pair in pairs}
        return Results({"refused": [[*pair, why] for pair, why in reasons.items() if why]})

    return [
        Exclusion(model, *found)
        for model in names["model"]
        for found in cache(f"exclusions of {model}", partial(refused, model)).metrics["refused"]
    ]


def choices(found: Sequence[Exclusion], start: Sequence[Choice] = ()) -> list[Choice]:
    """Choose the programs to compile: every pair that can be combined, the most in the first ones.

    Args:
        found: components that cannot be combined.
        start: programs that are compiled already.

    Returns:
        The further programs.
    """
    pairs = _pairs(found)
    chosen, _ = covering_choices(
        axes(), groups(), lambda choice: not is_refused(choice, pairs), start
    )
    return chosen


def current_rows(
    stored: Sequence[dict[str, Any]], found: Sequence[Exclusion]
) -> list[dict[str, Any]]:
    """Rows of a stored matrix whose components still exist and can be combined.

    Args:
        stored: rows of the matrix.
        found: components that cannot be combined.

    Returns:
        The rows without those that did not compile, which are tried again.
    """
    names, pairs = axes(), _pairs(found)
    return [
        row
        for row in stored
        if "fault" not in row
        and all(row.get(axis) in values for axis, values in names.items())
        and not is_refused(choice_of(row), pairs)
    ]


def choice_of(row: dict[str, Any]) -> Choice:
    """Components of a row of the matrix."""
    return {axis: row[axis] for axis in axes()}


def _pairs(found: Sequence[Exclusion]) -> set[tuple[str, str, str]]:
    return {(each.model, each.axis, each.value) for each in found}


def groups() -> list[tuple[str, ...]]:
    """Groups of axes, all of whose combinations occur."""
    return [*combinations(axes(), 2), COMPLETE]


def rows(target: str, chosen: Sequence[Choice], cache: PartCache) -> list[dict[str, Any]]:
    """Compile the programs for a target.

    Args:
        target: name of the target.
        chosen: the programs.
        cache: (name of a part, function) -> its results, computed at most once.

    Returns:
        The choice of each program with the metrics of its plan.

    Raises:
        ValueError: if the compiler for the target is not installed.
    """
    target_devices(find_target(target))

    def row(choice: Choice) -> dict[str, Any]:
        name = " ".join(choice.values())
        return choice | cache(name, lambda: Results(tried(choice, target))).metrics

    return list(map(row, chosen))


def tried(choice: Choice, target: str) -> dict[str, Any]:
    """Metrics of a program, or the error that stopped its compilation, so that others follow.

    Args:
        choice: the components.
        target: name of the target.
    """
    try:
        return metrics(choice, target)
    except Exception as error:
        return {"fault": f"{type(error).__name__}: {error}"[:1000]}


def metrics(choice: Choice, target: str) -> dict[str, Any]:
    """Compile a program and describe it.

    Args:
        choice: the components.
        target: name of the target.

    Returns:
        Whether it fits, bytes of temporaries and of the whole step, counts, and collectives.
    """
    found = program(choice)
    plan = planning.plan(
        found.objective,
        found.optimizer,
        found.data,
        target=target,
        batch_size=BATCH_SIZE,
        place=found.place,
        gradient_of=found.gradient_of,
    )
    counts = plan.counts
    kinds: Counter[str] = Counter()
    for row in plan.collectives:
        kinds[row.kind] += row.executions
    return {
        "fits": plan.fits,
        "temporaries": plan.memory.temporaries,
        "total": plan.memory.total,
        **({} if counts is None else _counts(counts._asdict())),
        "collectives": dict(kinds),
        "sent": round(plan.sent),
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    names = ("products", "fusions", "transposes", "copies", "loops", "host_transfers")
    return {name: counts[name] for name in names}
