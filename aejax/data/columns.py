"""Columns of a table as features: a numeric column is one, a categorical column a one-hot block."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

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
    """

    columns: tuple[Column, ...]
    label: str | None = None
    classes: tuple[str, ...] | None = None


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


def to_features(
    columns: Sequence[Column], values: Mapping[str, np.ndarray]
) -> Float[np.ndarray, "rows features"]:
    """Features of rows: numbers, and 1 for the category of a row.

    Args:
        columns: one or more columns.
        values: name -> numbers, or text of a categorical column, [rows].

    Returns:
        [rows, features], float64, in the order of `feature_names`.

    Raises:
        ValueError: for a category that the column does not have.
    """
    return np.column_stack([_to_block(column, values[column.name]) for column in columns])


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


def _to_block(column: Column, values: np.ndarray) -> np.ndarray:
    if column.categories is None:
        return np.asarray(values, np.float64)[:, None]
    categories = np.asarray(column.categories)
    one_hot = np.asarray(values, categories.dtype.type)[:, None] == categories
    unseen = ~one_hot.any(axis=1)
    if unseen.any():
        row = int(np.argmax(unseen))
        more = ", …" * (len(categories) > MAX_LISTED)
        raise ValueError(
            f"column {column.name!r} has the category {str(values[row])!r} (row index {row}), "
            "which the model has not seen; its categories are "
            f"{', '.join(column.categories[:MAX_LISTED])}{more}"
        )
    return one_hot.astype(np.float64)
