"""A run's history on disk: one JSON object a line, and TensorBoard events beside it."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from aejax.cli.files import write_text
from aejax.training import TrainState
from aejax.training.records import Callback, Record


def read_history(path: Path) -> list[Record]:
    """The records of a history file, in order.

    A last line without its end was being written when the run was killed; it is left out.

    Args:
        path: a `.jsonl` file; one that is missing has no records.

    Returns:
        One record an epoch, from the first on.

    Raises:
        ValueError: naming the line that is not its epoch's record.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [_record(line, epoch, path) for epoch, line in enumerate(lines, start=1)]


@contextmanager
def recorded(path: Path, events: Path, history: Sequence[Record]) -> Iterator[Callback]:
    """A callback that appends each record to a history file and to TensorBoard events.

    Args:
        path: the `.jsonl` file, first rewritten to hold `history` alone.
        events: the folder of TensorBoard's events.
        history: the records of the epochs that a resumed run keeps.

    Yields:
        The callback for `fit`.
    """
    write_text(path, "".join(json.dumps(record) + "\n" for record in history))
    step = history[-1]["step"] if history else 0
    with (
        path.open("a", encoding="utf-8") as lines,
        _summary_writer()(str(events), purge_step=step + 1) as writer,
    ):

        def record_epoch(_: TrainState, record: Record) -> None:
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            for name, value in _flat(record):
                writer.add_scalar(name, value, record["step"])

        yield record_epoch


def _summary_writer() -> Any:
    """tensorboardX's. It imports PyTorch where there is one, for seconds and to no use here."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = cast(Any, None)  # Python's sign of what is not to be found
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    return SummaryWriter


def _record(line: bytes, epoch: int, path: Path) -> Record:
    try:
        record = json.loads(line)
        if record["epoch"] == epoch and isinstance(record["step"], int):
            return record
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ValueError(f"{path}: line {epoch} is not the record of epoch {epoch}")


def _flat(record: Record) -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if name == "validation":
            yield from ((f"validation/{term}", number) for term, number in value.items())
        elif name not in ("epoch", "step"):
            yield f"train/{name}", value
