"""Columns of a table as features: a numeric column is one, a categorical column a one-hot block."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

MAX_LISTED = 10
"""Maximum number of categories in an error message."""


class Column(NamedTuple):
    """A column that the model reads.

    name:       name in the header.
    categories: distinct values of a categorical column in ascending order; None if it is numeric.
    """

    name: str
    categories: tuple[str, ...] | None = None


class Schema(NamedTuple):
    """Meaning of the columns of a table.

    columns: columns that the model reads, in the order of the features.
    label:   name of the label column, or None.
    classes: names of the classes if labels are text (a label is an index in it), else None.
    fill:    value of each feature that replaces a missing one; None if missing values are refused.
    """

    columns: tuple[Column, ...]
    label: str | None = None
    classes: tuple[str, ...] | None = None
    fill: tuple[float, ...] | None = None


def feature_names(columns: Sequence[Column]) -> list[str]:
    """Names of the features of columns.

    Args:
        columns: numeric and categorical columns.

    Returns:
        The name of a numeric column, `name=category` for each category of the others.

    Example:
        >>> from aejax.data import Column, feature_names
        >>> feature_names([Column("age"), Column("colour", ("blue", "red"))])
        ['age', 'colour=blue', 'colour=red']
    """
    return [
        column.name if category is None else f"{column.name}={category}"
        for column in columns
        for category in (column.categories or (None,))
    ]


def is_one_hot(columns: Sequence[Column]) -> Bool[np.ndarray, " features"]:
    """Whether a feature belongs to a categorical column.

    Args:
        columns: numeric and categorical columns.

    Returns:
        One value for each of the `feature_names`.
    """
    widths = [len(column.categories or (None,)) for column in columns]
    return np.repeat([column.categories is not None for column in columns], widths)


def row_text(row: int) -> str:
    """Position of a row of a table, for a message.

    Args:
        row: index of the row.

    Returns:
        The index, and where it starts.
    """
    return f"row index {row}, counted from 0"


def to_features(
    columns: Sequence[Column],
    values: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Float[np.ndarray, "rows features"]:
    """Features of rows: numbers, and 1 for the category of a row.

    Args:
        columns: one or more columns.
        values: name -> numbers, or text of a categorical column, [rows].
        missing: name -> whether the value of a row is missing, [rows] (default: none is).

    Returns:
        [rows, features], float64, in the order of `feature_names`; all features of a missing value
        are NaN.

    Raises:
        ValueError: for a category that the column does not have.
    """
    none = np.zeros(len(values[columns[0].name]), bool)
    return np.column_stack(
        [
            _to_block(column, values[column.name], missing.get(column.name, none))
            for column in columns
        ]
    )


def from_features(
    columns: Sequence[Column], x: Float[np.ndarray, "rows features"]
) -> dict[str, np.ndarray]:
    """Columns of reconstructed features; a categorical column has the category of largest value.

    Args:
        columns: columns of the features.
        x: features [rows, features].

    Returns:
        name -> numbers in the dtype of x, or text, [rows].
    """
    found, start = {}, 0
    for column in columns:
        width = len(column.categories or (None,))
        block, start = x[:, start : start + width], start + width
        found[column.name] = (
            block[:, 0]
            if column.categories is None
            else np.asarray(column.categories)[block.argmax(axis=1)]
        )
    return found


def _to_block(column: Column, values: np.ndarray, is_missing: np.ndarray) -> np.ndarray:
    if column.categories is None:
        numbers = np.asarray(values, np.float64)
        return np.where(is_missing, np.nan, numbers)[:, None]
    categories = np.asarray(column.categories)
    one_hot = np.asarray(values, categories.dtype.type)[:, None] == categories
    unseen = ~one_hot.any(axis=1) & ~is_missing
    if unseen.any():
        row = int(np.argmax(unseen))
        more = ", …" * (len(categories) > MAX_LISTED)
        raise ValueError(
            f"column {column.name!r} has the category {str(values[row])!r} ({row_text(row)}), "
            "which the model has not seen; its categories are "
            f"{', '.join(map(repr, column.categories[:MAX_LISTED]))}{more}; correct the value, "
            "leave out the row, or train a model on rows with this category"
        )
    return np.where(is_missing[:, None], np.nan, one_hot)
