"""Identity of a run at an experiment tracker, and the last step that was sent to it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aejax.runs.atomic_files import write_text
from aejax.runs.json_files import json_text, read_json
from aejax.training import TrainState
from aejax.training.records import Callback, Record


class TrackedRun(NamedTuple):
    """Contents of a file beside the checkpoints.

    identity: identity of the run at the tracker.
    step:     last step that was sent; -1 if there is none.
    """

    identity: str
    step: int


def read_tracked_run(path: Path) -> TrackedRun | None:
    """Read the file of a run.

    Args:
        path: the file; it may be missing.

    Returns:
        The identity and the last step, or None for a new run.

    Raises:
        ValueError: if the file has other contents.
    """
    if not path.exists():
        return None
    try:
        found = TrackedRun(**read_json(path))
        if not isinstance(found.identity, str) or type(found.step) is not int:
            raise TypeError(f"got {found}")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not what the logger wrote: {error}; delete it to start a new run at the "
            "tracker"
        ) from error
    return found


def send_once(path: Path, run: TrackedRun, send: Callable[[Record], None]) -> Callback:
    """Make a logger that sends each step once, also after the run was resumed.

    Args:
        path: file of the run, which is written after each record.
        run: identity and last step sent.
        send: function that sends a record to the tracker.

    Returns:
        A function of (state, record). Records up to the last step sent are left out, since a
        resumed run repeats them bit-identically.
    """
    write_text(path, json_text(run._asdict()))
    last = run.step

    def log(_: TrainState, record: Record) -> None:
        nonlocal last
        if record["step"] > last:
            send(record)
            last = record["step"]
            write_text(path, json_text(run._replace(step=last)._asdict()))

    return log
