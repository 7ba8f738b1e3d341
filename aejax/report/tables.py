"""HTML tables and formatted numbers; all text is escaped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from math import isfinite
from numbers import Integral, Real
from typing import Any

_NUMBER = ' class="number"'


def definitions(values: Mapping[str, Any]) -> str:
    """Render names and values as a table of two columns.

    Args:
        values: name -> any value, shown by `str`, or with commas for a list of texts; nested
            mappings become dotted names.

    Returns:
        HTML with every value escaped and unabridged.
    """
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_listed(value))}</td></tr>\n'
        for name, value in _flat(values)
    ]
    return _scrolled(f'<table class="definitions">\n{"".join(rows)}</table>')


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Render records as a table with one row per record.

    Args:
        records: mappings column -> number or text. The table has the columns of all records, in
            order of appearance; a missing value gives an empty cell.

    Returns:
        HTML. Numbers have four digits and are right-aligned; all text is escaped.
    """
    columns = {name: _is_number(value) for record in records for name, value in record.items()}
    return table_of_cells(columns, [row_of(record, columns) for record in records])


def row_of(record: Mapping[str, Any], columns: Iterable[str]) -> str:
    """Render a record as the cells of a table row.

    Args:
        record: column -> number or text.
        columns: columns in order; a missing value gives an empty cell.

    Returns:
        HTML.
    """
    return "".join(cell(record.get(name, "")) for name in columns)


def table_of_cells(columns: Mapping[str, bool], rows: Sequence[str]) -> str:
    """Render a table from rows of rendered cells.

    Args:
        columns: name -> whether the column is numeric.
        rows: cells of each row (HTML).

    Returns:
        HTML with escaped column names.
    """
    head = "".join(
        f'<th scope="col"{_NUMBER * numeric}>{escape(name)}</th>'
        for name, numeric in columns.items()
    )
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return _scrolled(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>")


def cell(value: Any) -> str:
    """Render one value as a table cell; numbers are right-aligned.

    Args:
        value: any value that `text_of` accepts.

    Returns:
        HTML.
    """
    return f"<td{_NUMBER * _is_number(value)}>{text_of(value)}</td>"


def text_of(value: Any) -> str:
    """Format a value: numbers with four digits, very large or small ones as 1.23 × 10⁻⁷.

    Args:
        value: number, None (shown as a dash), or any value with a `str`.

    Returns:
        Escaped HTML.
    """
    if value is None:
        return "–"
    if not _is_number(value):
        return escape(str(value))
    number = float(value)
    if isinstance(value, Integral) or number == 0 or 1e4 <= abs(number) < 1e7:
        text = f"{number:,.0f}".replace(",", "\u202f")
    elif 1e-3 <= abs(number) < 1e4 or not isfinite(number):
        text = f"{number:#.4g}".removesuffix(".")
    else:
        mantissa, exponent = f"{number:.2e}".split("e")
        text = f"{mantissa}\u202f×\u202f10<sup>{int(exponent)}</sup>"
    return text.replace("-", "−")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _listed(value: Any) -> str:
    """Text of a value; a list of texts without brackets and quotes."""
    is_texts = isinstance(value, list | tuple) and value and all(isinstance(x, str) for x in value)
    return ", ".join(value) if is_texts else str(value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _scrolled(table: str) -> str:
    return f'<div class="scrolled" tabindex="0" role="group" aria-label="table">{table}</div>\n'
