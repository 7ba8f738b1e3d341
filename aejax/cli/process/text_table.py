"""Tables of records as aligned text."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any


def text_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Align records in columns: numbers with four digits at the right, text at the left.

    Args:
        records: mappings column -> number, text or None. The table has the columns of all records;
            a missing value gives an empty cell, None a dash.

    Returns:
        A header and one line per record.

    Example:
        >>> from aejax.cli.process.text_table import text_table
        >>> print(text_table([{"run": "a", "error": 0.123456}, {"run": "long", "error": None}]))
        run    error
        a     0.1235
        long       -
    """
    columns = dict.fromkeys(name for record in records for name in record)
    widths, lines = [], []
    rows = [[_text(record.get(name, "")) for name in columns] for record in records]
    for index, name in enumerate(columns):
        widths.append(max([len(name), *(len(row[index]) for row in rows)]))
    numeric = [
        all(_is_number(record[name]) for record in records if name in record) for name in columns
    ]
    for row in [list(columns), *rows]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
