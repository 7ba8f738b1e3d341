"""A run's history on disk: one JSON object a line, and TensorBoard events beside it."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from aejax import checkpoints
from aejax.interchange.sealed_json import DIGEST, parse_object, seal, unseal
from aejax.runs.atomic_files import write_text
from aejax.runs.integrity import identity_in
from aejax.runs.run import checkpoints_folder, history_file
from aejax.training import TrainState
from aejax.training.records import Callback, Record


def read_run_history(run: Path) -> list[Record]:
    """The records of the run in a folder.

    Args:
        run: the folder.

    Returns:
        One record an epoch, from the first on; none where the run was exported without them.

    Raises:
        ValueError: as `read_history`, and where the history ends before the last checkpoint.
    """
    path = history_file(run)
    records = read_history(path, identity_in(run))
    saved = checkpoints.read_index(checkpoints_folder(run)).values()
    check_length(path, records, max((entry.epoch for entry in saved), default=0))
    return records


def check_length(path: Path, records: Sequence[Record], epochs: int) -> None:
    """Refuse a history that ends before the epoch of a checkpoint, by ValueError."""
    if len(records) < epochs:
        raise ValueError(
            f"{path} holds {len(records)} epochs, but the checkpoint is of {epochs}; put it back "
            "from a copy, or resume from an earlier checkpoint (--resume --checkpoint STEP)"
        )


def read_history(path: Path, identity: str | None = None) -> list[Record]:
    """The records of a history file, in order.

    A last line without its end was being written when the run was killed; it is left out.

    Args:
        path: a `.jsonl` file; one that is missing has no records.
        identity: of the run, with which every line's digest is salted. A line without a digest is
            an earlier version's, and is read only where there is no identity.

    Returns:
        One record an epoch, from the first on.

    Raises:
        ValueError: naming the line that is not its epoch's record, as it was written for this run.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    return [_record(line, epoch, path, identity) for epoch, line in enumerate(lines, start=1)]


@contextmanager
def recorded(
    path: Path, events: Path, history: Sequence[Record], identity: str | None = None
) -> Iterator[Callback]:
    """A callback that appends each record to a history file and to TensorBoard events.

    Args:
        path: the `.jsonl` file, first rewritten to hold `history` alone.
        events: the folder of TensorBoard's events.
        history: the records of the epochs that a resumed run keeps.
        identity: of the run, with which every line's digest is salted.

    Yields:
        The callback for `fit`.
    """
    write_text(path, "".join(_line(record, identity) for record in history))
    step = history[-1]["step"] if history else 0
    with (
        path.open("a", encoding="utf-8") as lines,
        _summary_writer()(str(events), purge_step=step + 1) as writer,
    ):

        def record_epoch(_: TrainState, record: Record) -> None:
            lines.write(_line(record, identity))
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


def _line(record: Record, identity: str | None) -> str:
    return json.dumps(seal(record, salt=identity or "")) + "\n"


def _record(line: bytes, epoch: int, path: Path, identity: str | None) -> Record:
    try:
        record = parse_object(line)
        if DIGEST in record or identity is not None:
            record = unseal(line, salt=identity or "")
        if not _has_numbers(record):
            raise ValueError("a term is missing or no number")
        if record["epoch"] == epoch and isinstance(record["step"], int):
            return record
        problem = "another epoch's"
    except (ValueError, KeyError) as error:
        problem = str(error)
    raise ValueError(
        f"{path}: line {epoch} is not the record of epoch {epoch} as this run wrote it ({problem})"
    )


def _has_numbers(terms: Any) -> bool:
    """Whether these are terms of an objective by name, the loss among them, each one a float."""
    if not isinstance(terms, dict) or "loss" not in terms:
        return False
    numbers = (value for name, value in terms.items() if name not in ("validation", DIGEST))
    return all(map(_is_number, numbers)) and (
        "validation" not in terms or _has_numbers(terms["validation"])
    )


def _is_number(value: Any) -> bool:
    is_float = isinstance(value, float)
    return is_float or (type(value) is int and abs(value) <= sys.float_info.max)


def _flat(record: Record) -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if name == "validation":
            yield from ((f"validation/{term}", number) for term, number in value.items())
        elif name not in ("epoch", "step"):
            yield f"train/{name}", value
