"""Lock of a run's folder against concurrent runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from aejax.runs.processes import is_main_process


@contextmanager
def locked(run: Path, *, option: str = "--out") -> Iterator[None]:
    """Lock the folder of a run by the main process; released when the process ends.

    Args:
        run: folder of the run; it is created if it is missing.
        option: name of the option with another folder, for the message.

    Raises:
        ValueError: another process holds the lock.
    """
    if not is_main_process():
        yield
        return
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ValueError(
            f"another run is writing to {run}: wait until it ends, or choose another {option}"
        ) from error
    try:
        yield
    finally:
        lock.release()
