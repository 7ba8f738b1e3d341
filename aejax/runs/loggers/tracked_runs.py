"""Identity of a run at an experiment tracker, and the last step that was sent to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

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


class Tracking(NamedTuple):
    """A tracker, and the run as it is known there.

    client: the module of the tracker.
    path:   file of the run, beside its checkpoints.
    run:    contents of the file, or None for a new run.
    """

    client: Any
    path: Path
    run: TrackedRun | None


def start_tracking(name: str, folder: str | PathLike[str]) -> Tracking:
    """Import a tracker, create the folder of the run, and read what was sent for it before.

    Args:
        name: name of the module, of the extra of aejax, and of the file NAME.json.
        folder: folder of the run.

    Returns:
        The module, the file and its contents.

    Raises:
        ImportError: if the module is missing.
        ValueError: as `read_tracked_run`.
    """
    try:
        client = import_module(name)
    except ImportError as error:
        raise ImportError(f"this logger needs {name}: pip install 'aejax[{name}]'") from error
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    return Tracking(client, path, read_tracked_run(path))


@contextmanager
def explained(tracker: str, advice: str) -> Iterator[None]:
    """Raise errors of a tracker that cannot start as a ConnectionError with advice.

    Args:
        tracker: name of the tracker.
        advice: advice at the end of the message.

    Raises:
        ConnectionError: in place of any error.
    """
    try:
        yield
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConnectionError(f"{tracker} cannot start this run: {first}; {advice}") from error


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


def send_once(path: Path, run: TrackedRun, send: Callback) -> Callback:
    """Make a logger that sends each step once, also after the run was resumed.

    Args:
        path: file of the run, which is written after each record.
        run: identity and last step sent.
        send: function of (state, record) that sends them to the tracker.

    Returns:
        A function of (state, record). Records up to the last step sent are left out, since a
        resumed run repeats them bit-identically.
    """
    write_text(path, json_text(run._asdict()))
    last = run.step

    def log(state: TrainState, record: Record) -> None:
        nonlocal last
        if record["step"] > last:
            send(state, record)
            last = record["step"]
            write_text(path, json_text(run._replace(step=last)._asdict()))

    return log
