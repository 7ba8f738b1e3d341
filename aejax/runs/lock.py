"""One run at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's folder, which is made if it is missing; the lock dies with its process.

    Args:
        run: the folder.

    Raises:
        ValueError: where another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ValueError(
            f"another run is writing to {run}: wait until it ends, or choose another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()
