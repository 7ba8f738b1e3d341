"""Tables with named columns from `.csv`, `.tsv` and `.parquet` files, through pandas."""

import shlex
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from aejax.data.columns import Column, Schema, feature_names, row_text, to_features
from aejax.data.dataset import Dataset
from aejax.data.dtypes import ADVICE
from aejax.data.missing_values import Missing, fill_missing
from aejax.data.split import every_fifth
from aejax.data.table_separators import check_separator

MAX_CATEGORIES = 100
"""Maximum number of distinct values of a categorical column."""

MIN_IDENTIFIERS = 5
"""Number of rows from which a column of different texts is an identifier."""

SUFFIXES = {".csv": ",", ".tsv": "\t", ".parquet": None}
"""Separator of the fields, by suffix."""

INDEX = "index columns"
"""Attribute of a data frame with the names of the columns that number or name its rows."""

LEAVE_OUT = "leave the column out of training: --ignore {}"
"""Advice for a training column, completed by `_about`."""

IGNORE = f", or {LEAVE_OUT}"
"""Further advice for a training column."""

ACCEPT = ", accept it: --missing mean, or --missing weight-zero"
"""Further advice for a missing value of a training column."""

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None"]
"""Texts of a missing value."""


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
    return _suffix(path) in SUFFIXES


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
    frame = _read(path, text=apart)
    for name in apart:
        if name not in frame:
            raise ValueError(f"{path} has no column {name!r}; its columns are {_listed(frame)}")
    names = [name for name in frame if name not in (*frame.attrs[INDEX], *apart)]
    if not names:
        raise ValueError(f"{path} has no column of features; its columns are {_listed(frame)}")
    if not len(frame):
        raise ValueError(f"{path} has a header and no rows")
    columns = tuple(_column(path, frame[name]) for name in names)
    values = {name: _values(path, frame[name], IGNORE) for name in names}
    is_missing = _missing(frame, names)
    if not accept_missing:
        _refuse_missing(path, is_missing, ACCEPT + IGNORE)
    empty = [name for name, rows in is_missing.items() if rows.all()]
    if empty:
        raise ValueError(
            f"{path}: column {empty[0]!r} has no values; {_about(empty[0], LEAVE_OUT)}"
        )
    x = to_features(columns, values, is_missing)
    labels, classes = (None, None) if label is None else _labels(path, frame[label])
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
    frame = _read(path, text=None, numeric=names, categorical=categorical)
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise ValueError(
            f"{path} lacks the columns {', '.join(map(repr, lacking))} of the training data; its "
            f"columns are {_listed(frame)}"
        )
    if frame.empty:
        raise ValueError(f"{path} has a header, but no rows")
    for column in schema.columns:
        if column.categories is None and not _is_numeric(frame[column.name]):
            raise _text_among_numbers(path, frame[column.name], "")
    values = {name: _values(path, frame[name], "") for name in names}
    is_missing = _missing(frame, names)
    if schema.fill is None:
        _refuse_missing(path, is_missing, "")
    try:
        x = to_features(schema.columns, values, is_missing)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    observed = ~np.isnan(x)
    if schema.fill is not None:
        x = np.where(observed, x, np.array(schema.fill))
    features = set(names)
    others = {name: _text(frame[name]) for name in frame if name not in features}
    return Rows(x, others, list(frame), observed)


def _suffix(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()


def import_pandas() -> Any:
    """Import pandas; ImportError with the extra to install if it is missing."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ImportError(
            "tables are read and written with pandas, which is not installed: "
            "pip install 'aejax[tables]'"
        ) from error
    return pandas


def _read(
    path: Path,
    *,
    text: Sequence[str] | None,
    numeric: Collection[str] = (),
    categorical: Collection[str] = (),
) -> Any:
    """Read a data frame.

    Args:
        path: file of a table.
        text: columns that are kept as text; None for all others than `numeric`.
        numeric: columns whose type is inferred, if text is None.
        categorical: columns of `numeric` that are text.

    Returns:
        A DataFrame with the names of the header.
    """
    pandas = import_pandas()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if _suffix(path) == ".parquet":
        return _read_parquet(pandas, path)
    separator = SUFFIXES[_suffix(path)]
    shared = {
        "sep": separator,
        "encoding": "utf-8-sig",
        "low_memory": False,
        "index_col": False,
        "keep_default_na": False,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)  # rows that are too long
            head = pandas.read_csv(path, header=None, nrows=1, dtype=str, **shared)
            names = head.iloc[0].tolist()
            check_separator(path, names)
            _check_header(path, names)
            known = set(names)
            kept = set(text) if text is not None else known.difference(numeric)
            frame = pandas.read_csv(
                path,
                header=0,
                names=names,
                dtype=dict.fromkeys(known.intersection([*kept, *categorical]), str),
                na_values={name: MISSING for name in names if name not in kept},
                **shared,
            )
    except pandas.errors.EmptyDataError as error:
        raise ValueError(f"{path} is empty; expected a header and rows") from error
    except (pandas.errors.ParserWarning, pandas.errors.ParserError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a readable table: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    frame = _with_booleans(pandas, frame)
    frame.attrs[INDEX] = [""]
    return frame


def _read_parquet(pandas: Any, path: Path) -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise ImportError(
            "Parquet files are read with pyarrow, which is not installed: pip install pyarrow, or "
            "save the table as .csv"
        ) from error
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file: {error}") from error
    columns = list(map(str, frame.columns))
    is_default = isinstance(frame.index, pandas.RangeIndex) and frame.index.start == 0
    if not is_default or frame.index.name is not None:
        if frame.index.names.count(None) > 1:
            raise ValueError(f"{path}: several levels of its index have no name; name them")
        frame = frame.reset_index(names=[name or "" for name in frame.index.names])
    frame.columns = list(map(str, frame.columns))
    _check_header(path, list(frame))
    frame.attrs[INDEX] = [name for name in frame if name not in columns]
    return frame


def _with_booleans(pandas: Any, frame: Any) -> Any:
    """Convert columns of truth values, some of them missing, which pandas reads as objects."""
    objects = [name for name, dtype in frame.dtypes.items() if dtype.kind == "O"]
    mixed = [name for name in objects if pandas.api.types.infer_dtype(frame[name]) == "boolean"]
    return frame.astype(dict.fromkeys(mixed, "boolean"))


def _check_header(path: Path, names: list[str]) -> None:
    """Refuse a header that is missing, incomplete or ambiguous."""
    if len(names) > 1 and all(map(_is_number, names)):
        raise ValueError(
            f"{path} starts with numbers, {', '.join(names[:3])}, …; expected a header with the "
            "names of the columns in the first line"
        )
    if "" in names[1:]:
        raise ValueError(f"{path}: column {names.index('', 1) + 1} has no name in the header")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{path} has several columns named {', '.join(repeated)}; rename them")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_numeric(series: Any) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype)


def _about(name: str, advice: str) -> str:
    """Advice with the name of a column, quoted for a shell."""
    return advice.format(shlex.quote(name))


def _column(path: Path, series: Any) -> Column:
    """Column of a series; ValueError if it is neither numeric nor categorical."""
    if _is_numeric(series):
        return Column(series.name)
    kind = getattr(series.dtype, "kind", "O")
    given = series.dropna()
    if kind in "cMm" or not all(isinstance(value, str) for value in given):
        advice = ADVICE.get(kind, "convert it to numbers or text")
        raise ValueError(
            f"{path}: column {series.name!r} has dtype {series.dtype}; {advice}"
            f"{_about(series.name, IGNORE)}"
        )
    if 2 * sum(map(_is_number, given)) >= len(given) > 0:
        raise _text_among_numbers(path, series, IGNORE)
    categories = sorted(set(given))
    if len(categories) > MAX_CATEGORIES or MIN_IDENTIFIERS <= len(categories) == len(series):
        raise ValueError(
            f"{path}: column {series.name!r} has {len(categories)} different texts in "
            f"{len(series)} rows; expected numbers, or at most {MAX_CATEGORIES} categories that "
            f"repeat; leave out an identifier: --ignore {shlex.quote(series.name)}; convert dates, "
            "and numbers with units, to numbers"
        )
    return Column(series.name, tuple(categories))


def _text_among_numbers(path: Path, series: Any, advice: str) -> ValueError:
    texts = [(row, str(v)) for row, v in enumerate(series) if not _is_number(str(v))]
    row, text = texts[0] if texts else (0, str(series.iloc[0]))
    return ValueError(
        f"{path}: column {series.name!r} has the text {text!r} ({row_text(row)}) among numbers; "
        f"correct the value{_about(series.name, advice)}"
    )


def _values(path: Path, series: Any, advice: str) -> np.ndarray:
    """Numbers as float64, or text, of a column; ValueError for infinite values."""
    if not _is_numeric(series):
        return _text(series)
    numbers = series.to_numpy(np.float64, na_value=np.nan)
    if series.dropna().to_numpy().dtype.kind in "iu":
        exact = f"subtract an offset{advice}"
        _refuse(path, series.name, np.abs(numbers) >= 2.0**53, "integer from 2⁵³", exact)
    correct = f"correct it or drop its row{advice}"
    _refuse(path, series.name, np.isinf(numbers), "infinite value", correct)
    return numbers


def _missing(frame: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Whether a value is missing, by column."""
    rows = frame[names].isna().to_numpy()
    return dict(zip(names, rows.T, strict=True))


def _refuse_missing(path: Path, is_missing: Mapping[str, np.ndarray], advice: str) -> None:
    """Raise ValueError for a missing value."""
    for name, rows in is_missing.items():
        _refuse(path, name, rows, "missing value", f"fill it in or drop its row{advice}")


def _refuse(path: Path, name: str, is_bad: np.ndarray, complaint: str, advice: str) -> None:
    """Raise ValueError if any row is bad, with their count and the index of the first."""
    count = int(is_bad.sum())
    if count:
        raise ValueError(
            f"{path}: column {name!r}, {count} of {len(is_bad)} rows: {complaint}, first at "
            f"{row_text(int(np.argmax(is_bad)))}; {_about(name, advice)}"
        )


def _labels(path: Path, series: Any) -> tuple[Integer[np.ndarray, " rows"], tuple[str, ...] | None]:
    """Labels as int64, and the names of the classes if the labels are text."""
    text = np.char.strip(_text(series))
    _refuse(path, str(series.name), np.isin(text, MISSING), "missing label", "fill it in")
    if not all(map(_is_number, text)):
        classes, labels = np.unique(text, return_inverse=True)
        return labels.astype(np.int64), tuple(classes.tolist())
    numbers = text.astype(np.float64)
    if not (np.abs(numbers) <= 2.0**53).all() or (numbers != np.rint(numbers)).any():
        raise ValueError(
            f"{path}: the label column {series.name!r} has real numbers; expected integers or text "
            f"as classes; a quantity is not a label: --ignore {shlex.quote(series.name)}"
        )
    return numbers.astype(np.int64), None


def _text(series: Any) -> np.ndarray:
    """Values as text; missing values are empty."""
    pairs = zip(series.tolist(), series.isna(), strict=True)
    return np.array(["" if is_missing else str(value) for value, is_missing in pairs], dtype=str)


def _listed(frame: Any) -> str:
    return ", ".join(repr(name) for name in frame)
