"""Summaries of a sweep over its seeds: the settings, best first, and the error by code size."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from aejax.evaluation import interval
from aejax.runs.code_rates import RATES
from aejax.runs.sweep_programs import Row
from aejax.runs.sweeping import Sweep

INTERVAL = "95 % interval over seeds"
"""Column of the lower end of an interval, completed by ", from"."""

MIN_SEEDS = 2
"""Minimum number of seeds for an interval."""


class CodeError(NamedTuple):
    """Validation error of the best setting with one code size.

    code:     code size.
    settings: the other settings.
    mean:     mean over seeds.
    interval: ends of its 95 % interval, or None for a single seed.
    pca:      error of PCA with as many components; None if it reconstructs the train examples.
    """

    code: int
    settings: dict[str, Any]
    mean: float
    interval: tuple[float, float] | None
    pca: float | None


def summarise(sweep: Sweep) -> list[Row]:
    """Summarise each setting over its seeds.

    Args:
        sweep: the sweep.

    Returns:
        One row per setting, the best first: code size and swept settings, mean validation error
        with its 95 % interval (Student's t), mean paired difference from the best setting with its
        interval, mean test error, of a dictionary the means of its active units and explained
        variance on the test examples, of a discrete code or a posterior the mean rate, and the mean
        errors of PCA. A setting with a diverged member is last, with its number of diverged
        members, and has no errors.
    """
    groups = _groups(sweep)
    complete = [rows for rows in groups if not _diverged(rows)]
    complete.sort(key=lambda rows: float(_errors(rows).mean()))
    best = _errors(complete[0]) if complete else np.zeros(0)
    found = [_summary(sweep, rows, best, is_best=rows is complete[0]) for rows in complete]
    return found + [
        {**_settings(sweep, rows[0]), "diverged": f"{_diverged(rows)} of {len(rows)}"}
        for rows in groups
        if _diverged(rows)
    ]


def errors_by_code(sweep: Sweep) -> list[CodeError]:
    """Validation error of the best setting of each code size, in the order of the sizes.

    Args:
        sweep: the sweep.

    Returns:
        The errors; sizes whose settings all have a diverged member are missing.
    """
    best: dict[int, list[Row]] = {}
    for rows in _groups(sweep):
        if _diverged(rows):
            continue
        code = rows[0]["code"]
        if code not in best or _errors(rows).mean() < _errors(best[code]).mean():
            best[code] = rows
    return [_code_error(sweep, best[code]) for code in sorted(best)]


def _code_error(sweep: Sweep, rows: Sequence[Row]) -> CodeError:
    others = {name: value for name, value in _settings(sweep, rows[0]).items() if name != "code"}
    errors, pca = _errors(rows), _mean(rows, "pca_validation_error")
    ends = None
    if len(rows) >= MIN_SEEDS:
        _, low, high = interval(errors)
        ends = low, high
    return CodeError(rows[0]["code"], others, float(errors.mean()), ends, pca)


def _summary(sweep: Sweep, rows: Sequence[Row], best: np.ndarray, *, is_best: bool) -> Row:
    errors = _errors(rows)
    found = {**_settings(sweep, rows[0]), "seeds": len(rows), "validation error": errors.mean()}
    if len(rows) >= MIN_SEEDS:
        found |= _ends(interval(errors))
    found["difference from the best"] = None if is_best else float((errors - best).mean())
    if len(rows) >= MIN_SEEDS and not is_best:
        found |= _ends(interval(errors - best), " of the difference")
    found["test error"] = _mean(rows, "test_error")
    for name in ("active_units", "explained_variance", *RATES):
        if name in rows[0]:
            found[name.replace("_", " ")] = _mean(rows, name)
    return found | {
        f"PCA {part}": _mean(rows, f"pca_{part}_error") for part in ("validation", "test")
    }


def _mean(rows: Sequence[Row], name: str) -> float | None:
    """Mean over seeds; None if a member has no value."""
    values = [row[name] for row in rows]
    return None if None in values else float(np.mean(values))


def _ends(found: Sequence[float], suffix: str = "") -> Row:
    _, low, high = found
    return {f"{INTERVAL}{suffix}, from": low, f"to{suffix}": high}


def _groups(sweep: Sweep) -> list[list[Row]]:
    """Rows of each setting, by seed."""
    groups: dict[str, list[Row]] = {}
    for row in sweep.table:
        groups.setdefault(repr(_settings(sweep, row)), []).append(row)
    return list(groups.values())


def _settings(sweep: Sweep, row: Row) -> Row:
    return {name: row[name] for name in dict.fromkeys(("code", *sweep.swept))}


def _errors(rows: Sequence[Row]) -> np.ndarray:
    return np.array([row["validation_error"] for row in rows])


def _diverged(rows: Sequence[Row]) -> int:
    return sum(row["validation_error"] is None for row in rows)
