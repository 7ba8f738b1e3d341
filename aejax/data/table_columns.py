"""Columns of a data frame as features, labels or text; bad values are refused by column and row."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from aejax.data.columns import Column, row_text
from aejax.data.data_frames import MISSING, is_number
from aejax.data.dtypes import ADVICE

Labels = Integer[np.ndarray, " rows"]
"""Index of the class of each row, int64."""

MAX_CATEGORIES = 100
"""Maximum number of distinct values of a categorical column."""

MIN_IDENTIFIERS = 5
"""Number of rows from which a column of different texts is an identifier."""

LEAVE_OUT = "leave the column out of training: --ignore {}"
"""Advice for a training column, completed by `advice_about`."""

IGNORE = f", or {LEAVE_OUT}"
"""Further advice for a training column."""

ACCEPT = ", accept it: --missing mean, or --missing weight-zero"
"""Further advice for a missing value of a training column."""


def to_column(path: Path, series: Any) -> Column:
    """Column of a series; ValueError if it is neither numeric nor categorical."""
    if is_numeric(series):
        return Column(series.name)
    kind = getattr(series.dtype, "kind", "O")
    given = series.dropna()
    if kind in "cMm" or not all(isinstance(value, str) for value in given):
        advice = ADVICE.get(kind, "convert it to numbers or text")
        raise ValueError(
            f"{path}: column {series.name!r} has dtype {series.dtype}; {advice}"
            f"{advice_about(series.name, IGNORE)}"
        )
    if 2 * sum(map(is_number, given)) >= len(given) > 0:
        raise text_among_numbers(path, series, IGNORE)
    categories = sorted(set(given))
    if len(categories) > MAX_CATEGORIES or MIN_IDENTIFIERS <= len(categories) == len(series):
        raise ValueError(
            f"{path}: column {series.name!r} has {len(categories)} different texts in "
            f"{len(series)} rows; expected numbers, or at most {MAX_CATEGORIES} categories that "
            f"repeat; leave out an identifier: --ignore {shlex.quote(series.name)}; convert dates, "
            "and numbers with units, to numbers"
        )
    return Column(series.name, tuple(categories))


def column_values(path: Path, series: Any, advice: str) -> np.ndarray:
    """Numbers as float64, or text, of a column; ValueError for infinite values."""
    if not is_numeric(series):
        return column_text(series)
    numbers = series.to_numpy(np.float64, na_value=np.nan)
    if series.dropna().to_numpy().dtype.kind in "iu":
        exact = f"subtract an offset{advice}"
        _refuse(path, series.name, np.abs(numbers) >= 2.0**53, "integer from 2⁵³", exact)
    correct = f"correct it or drop its row{advice}"
    _refuse(path, series.name, np.isinf(numbers), "infinite value", correct)
    return numbers


def to_labels(path: Path, series: Any) -> tuple[Labels, tuple[str, ...] | None]:
    """Labels as int64, and the names of the classes if the labels are text."""
    text = np.char.strip(column_text(series))
    _refuse(path, str(series.name), np.isin(text, MISSING), "missing label", "fill it in")
    if not all(map(is_number, text)):
        classes, labels = np.unique(text, return_inverse=True)
        return labels.astype(np.int64), tuple(classes.tolist())
    numbers = text.astype(np.float64)
    if not (np.abs(numbers) <= 2.0**53).all() or (numbers != np.rint(numbers)).any():
        raise ValueError(
            f"{path}: the label column {series.name!r} has real numbers; expected integers or text "
            f"as classes; a quantity is not a label: --ignore {shlex.quote(series.name)}"
        )
    return numbers.astype(np.int64), None


def column_text(series: Any) -> np.ndarray:
    """Values as text; missing values are empty."""
    pairs = zip(series.tolist(), series.isna(), strict=True)
    return np.array(["" if is_missing else str(value) for value, is_missing in pairs], dtype=str)


def is_numeric(series: Any) -> bool:
    """Whether the values of a column are real numbers."""
    from pandas.api import types

    return types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype)


def missing_values(frame: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Whether a value is missing, by column."""
    rows = frame[names].isna().to_numpy()
    return dict(zip(names, rows.T, strict=True))


def refuse_missing(path: Path, is_missing: Mapping[str, np.ndarray], advice: str) -> None:
    """Raise ValueError for a missing value."""
    for name, rows in is_missing.items():
        _refuse(path, name, rows, "missing value", f"fill it in or drop its row{advice}")


def text_among_numbers(path: Path, series: Any, advice: str) -> ValueError:
    """Error for the first text of a column that should have numbers only."""
    texts = [(row, str(v)) for row, v in enumerate(series) if not is_number(str(v))]
    row, text = texts[0] if texts else (0, str(series.iloc[0]))
    return ValueError(
        f"{path}: column {series.name!r} has the text {text!r} ({row_text(row)}) among numbers; "
        f"correct the value{advice_about(series.name, advice)}"
    )


def advice_about(name: str, advice: str) -> str:
    """Advice with the name of a column, quoted for a shell."""
    return advice.format(shlex.quote(name))


def _refuse(path: Path, name: str, is_bad: np.ndarray, complaint: str, advice: str) -> None:
    """Raise ValueError if any row is bad, with their count and the index of the first."""
    count = int(is_bad.sum())
    if count:
        raise ValueError(
            f"{path}: column {name!r}, {count} of {len(is_bad)} rows: {complaint}, first at "
            f"{row_text(int(np.argmax(is_bad)))}; {advice_about(name, advice)}"
        )
