"""Logger that writes a CSV table, one row per epoch."""

import csv as csv_files
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from aejax.runs.atomic_files import check_not_directory, write_text
from aejax.runs.loggers.flat_records import flat_record
from aejax.training import TrainState
from aejax.training.records import Callback, Record

Row = dict[str, Any]


@contextmanager
def csv(path: str | PathLike[str]) -> Iterator[Callback]:
    """Log the epochs as a CSV table with the columns epoch, step, train/… and validation/….

    A resumed run continues the table: rows from its first step on, which a run that was killed may
    have written, are replaced.

    Args:
        path: file; its folder is created.

    Yields:
        A function of (state, record).

    Raises:
        OSError: if the file cannot be written.
        ValueError: if it is no table of this logger.

    Example:
        >>> import pathlib, tempfile, aejax, jax, optax
        >>> from aejax import losses, runs, training
        >>> objective = aejax.objective(aejax.dense((8, 3)), losses.bernoulli)
        >>> x = jax.random.uniform(jax.random.key(0), (64, 8))
        >>> path = tempfile.mkdtemp() + "/epochs.csv"
        >>> with runs.loggers.csv(path) as log:
        ...     _ = training.fit(objective, optax.adam(1e-2), x, epochs=2, key=0, callbacks=[log])
        >>> print(pathlib.Path(path).read_text()[:21])
        epoch,step,train/seco
    """
    path = Path(path).expanduser()
    check_not_directory(path)
    rows = _read(path)
    names: list[str] = []

    def log(_: TrainState, record: Record) -> None:
        nonlocal names
        row = {"epoch": record["epoch"], "step": record["step"], **dict(flat_record(record))}
        if row.keys() <= set(names):
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(_text([row], names))
        else:  # the first row, or new columns
            before = [each for each in _read(path) or rows if int(each["step"]) < row["step"]]
            names = list(dict.fromkeys(name for each in (*before, row) for name in each))
            header = dict(zip(names, names, strict=True))
            write_text(path, _text([header, *before, row], names))

    yield log


def _read(path: Path) -> list[Row]:
    """Complete rows of a table; ValueError if it is another file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv_files.DictReader(file)
        names = reader.fieldnames or []
        if names and names[:2] != ["epoch", "step"]:
            raise ValueError(f"{path} is no table of aejax.runs.loggers.csv: choose another file")
        return [row for row in reader if row["step"] and None not in row.values()]


def _text(rows: Sequence[Row], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv_files.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue()
