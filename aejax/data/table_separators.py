"""Separators of the fields of a text table: detection of another one than the suffix stands for."""

import csv
import gzip
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

OTHER_SEPARATORS = ";\t|"
"""Separators that programs write in place of commas."""


def check_separator(path: Path, names: Sequence[str]) -> None:
    """Refuse a table whose header and first row have as many fields by another separator, or more.

    Args:
        path: file of the table.
        names: names in its header, by the separator that its suffix stands for.

    Raises:
        ValueError: if another separator fits; it names the separator and the conversion.
    """
    separator = _other_separator(path, names)
    if separator is None:
        return
    columns = "one column" if len(names) == 1 else f"{len(names)} columns"
    raise ValueError(
        f"{path} has {columns}, {', '.join(map(repr, names))}; expected fields separated by commas "
        f"(.csv) or tabs (.tsv), but it looks separated by {separator!r}: save it with commas, or "
        f"convert it with pandas.read_csv({str(path)!r}, sep={separator!r})"
        ".to_csv('converted.csv', index=False)"
    )


def _other_separator(path: Path, names: Sequence[str]) -> str | None:
    """Separator of a header that looks split by the wrong one; None if there is none."""
    marks = [mark for mark in OTHER_SEPARATORS if any(mark in name for name in names)]
    if len(names) == 1:
        if marks:
            return marks[0]
        marks = [","] if "," in names[0] else []
    return next((mark for mark in marks if _fields(path, mark) >= len(names)), None)


def _fields(path: Path, separator: str) -> int:
    """Number of fields of header and first row by a separator; 0 if it is one, or differs."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            lines = filter(None, csv.reader(file, delimiter=separator))
            counts = {len(line) for line in islice(lines, 2)}
    except csv.Error:  # a field longer than the limit
        return 0
    return max(counts) if len(counts) == 1 and max(counts) > 1 else 0
