"""History of a run on disk: JSON Lines, one object per epoch."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aejax import checkpoints
from aejax.interchange.sealed_json import DIGEST, parse_object, seal, unseal
from aejax.runs.atomic_files import write_text
from aejax.runs.integrity import read_identity
from aejax.runs.run import checkpoints_folder, history_file
from aejax.training import TrainState
from aejax.training.records import Callback, Record


def read_run_history(run: Path) -> list[Record]:
    """Read the history of a run.

    Args:
        run: folder of the run.

    Returns:
        One record per epoch from the first epoch; empty for an exported run.

    Raises:
        ValueError: as in `read_history`, or the history ends before the last checkpoint.
    """
    path = history_file(run)
    records = read_history(path, read_identity(run))
    saved = checkpoints.read_index(checkpoints_folder(run)).values()
    check_length(path, records, max((entry.epoch for entry in saved), default=0))
    return records


def check_length(path: Path, records: Sequence[Record], epochs: int) -> None:
    """Raise ValueError for a history that ends before the epoch of a checkpoint."""
    if len(records) < epochs:
        raise ValueError(
            f"{path} holds {len(records)} epochs, but the checkpoint is of {epochs}; restore it "
            "from a copy, or resume from an earlier checkpoint (--resume --checkpoint STEP)"
        )


def read_history(path: Path, identity: str | None = None) -> list[Record]:
    """Read a history file.

    An incomplete last line, written by a run that was killed, is ignored.

    Args:
        path: `.jsonl` file; a missing file has no records.
        identity: identity of the run, which salts the digest of each line. Lines without a digest
            (of earlier versions) are accepted only if there is no identity.

    Returns:
        One record per epoch from the first epoch.

    Raises:
        ValueError: a line is not the record of its epoch as written for this run.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [_record(line, epoch, path, identity) for epoch, line in enumerate(lines, start=1)]


@contextmanager
def history_writer(
    path: Path, history: Sequence[Record], identity: str | None = None
) -> Iterator[Callback]:
    """Write the records of a run to a history file.

    Args:
        path: `.jsonl` file, which is first rewritten with the records in `history`.
        history: records of the epochs before a resumed run starts.
        identity: identity of the run, which salts the digest of each line.

    Yields:
        A callback for `fit` that appends one record.
    """
    write_text(path, "".join(_line(record, identity) for record in history))
    with path.open("a", encoding="utf-8") as lines:

        def record_epoch(_: TrainState, record: Record) -> None:
            lines.write(_line(record, identity))
            lines.flush()

        yield record_epoch


def _line(record: Record, identity: str | None) -> str:
    return json.dumps(seal(record, salt=identity or "")) + "\n"


def _record(line: bytes, epoch: int, path: Path, identity: str | None) -> Record:
    try:
        record = parse_object(line)
        if DIGEST in record or identity is not None:
            record = unseal(line, salt=identity or "")
        if not _has_numbers(record):
            raise ValueError("a term is missing or not a number")
        if record["epoch"] == epoch and isinstance(record["step"], int):
            return record
        problem = "it is the record of another epoch"
    except (ValueError, KeyError) as error:
        problem = str(error)
    raise ValueError(
        f"{path}: line {epoch} is not the record of epoch {epoch} as this run wrote it ({problem})"
    )


def _has_numbers(terms: Any) -> bool:
    """Whether these are the terms of an objective by name, with a loss, and all are floats."""
    if not isinstance(terms, dict) or "loss" not in terms:
        return False
    values = (value for name, value in terms.items() if name not in ("validation", DIGEST))
    return all(map(_is_number, values)) and (
        "validation" not in terms or _has_numbers(terms["validation"])
    )


def _is_number(value: Any) -> bool:
    is_float = isinstance(value, float)
    return is_float or (type(value) is int and abs(value) <= sys.float_info.max)
