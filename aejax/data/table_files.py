"""Tables with named columns from `.csv`, `.tsv` and `.parquet` files."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from aejax.data.columns import Schema, feature_names, to_features
from aejax.data.data_frames import INDEX, SUFFIXES, read_frame, table_suffix
from aejax.data.dataset import Dataset
from aejax.data.missing_values import Missing, fill_missing
from aejax.data.split import every_fifth
from aejax.data.table_columns import (
    ACCEPT,
    IGNORE,
    LEAVE_OUT,
    advice_about,
    column_text,
    column_values,
    is_numeric,
    missing_values,
    refuse_missing,
    text_among_numbers,
    to_column,
    to_labels,
)


class Table(NamedTuple):
    """A table as training data.

    x:      features [rows, features], float64; NaN for missing values, if these are accepted.
    labels: label of each row, or None.
    schema: meaning of the columns.
    """

    x: Float[np.ndarray, "rows features"]
    labels: Integer[np.ndarray, " rows"] | None
    schema: Schema


class Rows(NamedTuple):
    """Rows of a table for a trained model.

    x:        features [rows, features], float64; missing values are replaced by `Schema.fill`.
    others:   name -> the values of each column that is not a feature, unchanged text, [rows].
    order:    names of all columns in the order of the file.
    observed: whether a value is not missing, [rows, features].
    """

    x: Float[np.ndarray, "rows features"]
    others: dict[str, np.ndarray]
    order: list[str]
    observed: Bool[np.ndarray, "rows features"]


def is_table(path: Path) -> bool:
    """Whether a file is named as a table: `.csv`, `.tsv` (both optionally `.gz`), `.parquet`."""
    return table_suffix(path) in SUFFIXES


def load_table(
    path: Path,
    *,
    label: str | None = None,
    ignore: Collection[str] = (),
    missing: Missing = "refuse",
) -> Dataset:
    """Load a data set from a table; every fifth row becomes test.

    Args:
        path: file that `read_table` reads.
        label: column of the labels.
        ignore: columns that are not features.
        missing: treatment of missing values.

    Returns:
        The data set with its `schema`, not yet checked (see `check_dataset`).

    Raises:
        FileNotFoundError: as `read_table`.
        ImportError: as `read_table`.
        ValueError: as `read_table` and `fill_missing`, or for fewer than 5 rows.
    """
    accepts = missing != "refuse"
    x, labels, schema = read_table(path, label=label, ignore=ignore, accept_missing=accepts)
    x_train, x_test = every_fifth(x)
    labels_train, labels_test = (None, None) if labels is None else every_fifth(labels)
    name = path.resolve().name
    split = x_train, x_test, labels_train, labels_test
    dataset = Dataset(name, *split, schema=schema, classes=schema.classes)
    names = feature_names(schema.columns)
    return fill_missing(dataset, missing, names) if accepts else dataset


def read_table(
    path: Path,
    *,
    label: str | None = None,
    ignore: Collection[str] = (),
    accept_missing: bool = False,
) -> Table:
    """Read a table with a header as features and labels.

    Numeric columns are features. A column of text is categorical and becomes a one-hot block. The
    index, a first column without a name or the index of Parquet, is not a feature.

    Args:
        path: `.csv`, `.tsv` (both optionally `.gz`) or `.parquet` file.
        label: column of the labels: integers, or text, whose classes are numbered in ascending
            order.
        ignore: columns that are not features, such as identifiers.
        accept_missing: whether features may have missing values.

    Returns:
        The table.

    Raises:
        FileNotFoundError: if the file does not exist.
        ImportError: if pandas, or pyarrow for Parquet, is missing.
        ValueError: for an unreadable file, columns without names, unknown columns, missing or
            infinite values, or a column that is neither numeric nor categorical.
    """
    apart = [*ignore, *([] if label is None else [label])]
    frame = read_frame(path, text=apart)
    for name in apart:
        if name not in frame:
            raise ValueError(f"{path} has no column {name!r}; its columns are {_listed(frame)}")
    names = [name for name in frame if name not in (*frame.attrs[INDEX], *apart)]
    if not names:
        raise ValueError(f"{path} has no column of features; its columns are {_listed(frame)}")
    if not len(frame):
        raise ValueError(f"{path} has a header and no rows")
    columns = tuple(to_column(path, frame[name]) for name in names)
    values = {name: column_values(path, frame[name], IGNORE) for name in names}
    is_missing = missing_values(frame, names)
    if not accept_missing:
        refuse_missing(path, is_missing, ACCEPT + IGNORE)
    empty = [name for name, rows in is_missing.items() if rows.all()]
    if empty:
        raise ValueError(
            f"{path}: column {empty[0]!r} has no values; {advice_about(empty[0], LEAVE_OUT)}"
        )
    x = to_features(columns, values, is_missing)
    labels, classes = (None, None) if label is None else to_labels(path, frame[label])
    return Table(x, labels, Schema(columns, label, classes))


def read_rows(path: Path, schema: Schema) -> Rows:
    """Read new rows for a model that was trained on a table.

    Args:
        path: table that contains the columns of the features, in any order.
        schema: columns of the trained model.

    Returns:
        The rows. The label and all other columns are kept as text.

    Raises:
        FileNotFoundError: if the file does not exist.
        ImportError: as `load_table`.
        ValueError: as `load_table`; for a missing column, text in a numeric column, or a category
            that the model has not seen.
    """
    names = [column.name for column in schema.columns]
    categorical = [column.name for column in schema.columns if column.categories is not None]
    frame = read_frame(path, text=None, numeric=names, categorical=categorical)
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise ValueError(
            f"{path} lacks the columns {', '.join(map(repr, lacking))} of the training data; its "
            f"columns are {_listed(frame)}"
        )
    if frame.empty:
        raise ValueError(f"{path} has a header, but no rows")
    for column in schema.columns:
        if column.categories is None and not is_numeric(frame[column.name]):
            raise text_among_numbers(path, frame[column.name], "")
    values = {name: column_values(path, frame[name], "") for name in names}
    is_missing = missing_values(frame, names)
    if schema.fill is None:
        refuse_missing(path, is_missing, "")
    try:
        x = to_features(schema.columns, values, is_missing)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    observed = ~np.isnan(x)
    if schema.fill is not None:
        x = np.where(observed, x, np.array(schema.fill))
    features = set(names)
    others = {name: column_text(frame[name]) for name in frame if name not in features}
    return Rows(x, others, list(frame), observed)


def _listed(frame: Any) -> str:
    return ", ".join(repr(name) for name in frame)
