"""Data frames from `.csv`, `.tsv` and `.parquet` files, through pandas."""

import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from aejax.data.table_separators import check_separator

SUFFIXES = {".csv": ",", ".tsv": "\t", ".parquet": None}
"""Separator of the fields, by suffix."""

INDEX = "index columns"
"""Attribute of a data frame with the names of the columns that number or name its rows."""

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None"]
"""Texts of a missing value."""


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


def table_suffix(path: Path) -> str:
    """Suffix of a file in lower case, without `.gz`."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()


def read_frame(
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
    if table_suffix(path) == ".parquet":
        return _read_parquet(pandas, path)
    separator = SUFFIXES[table_suffix(path)]
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
    if len(names) > 1 and all(map(is_number, names)):
        raise ValueError(
            f"{path} starts with numbers, {', '.join(names[:3])}, …; expected a header with the "
            "names of the columns in the first line"
        )
    if "" in names[1:]:
        raise ValueError(f"{path}: column {names.index('', 1) + 1} has no name in the header")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{path} has several columns named {', '.join(repeated)}; rename them")


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
