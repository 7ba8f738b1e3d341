"""Moments of a run, recognised by the files in its folder."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.faults.processes import Child, running
from tests.faults.runs import EPOCHS, RUN, epochs, steps

Moment = Callable[[Child, Path, Random], bool]
"""Wait for the moment, given (process, folder, rng); False if the process ended before it."""


def starting(child: Child, folder: Path, rng: Random) -> bool:
    """Before the first record: data are read, settings written, the program compiled."""
    before, limit = epochs(folder), time.monotonic() + rng.uniform(0, 2)
    while running(child) and time.monotonic() < limit and epochs(folder) == before:
        time.sleep(0.001)
    return running(child)


def training(child: Child, folder: Path, rng: Random) -> bool:
    """Between two records, before the last epoch."""
    return _reached(child, folder, _later_epoch(folder, rng)) and _pause(child, rng, 0.1)


def saving(child: Child, folder: Path, rng: Random) -> bool:
    """While a checkpoint is written and still has a temporary name."""

    def partial() -> bool:
        return any((folder / RUN / "checkpoints").glob("*.partial/state*"))

    reached = _reached(child, folder, _later_epoch(folder, rng))
    return reached and _until(child, partial) and _pause(child, rng, 0.04)


def ending(child: Child, folder: Path, rng: Random) -> bool:
    """After the last record: the last checkpoint and the metrics are written."""
    return _reached(child, folder, EPOCHS) and _pause(child, rng, 0.5)


def several_checkpoints(child: Child, folder: Path, _: Random) -> bool:
    """As soon as three checkpoints exist."""
    return _until(child, lambda: len(steps(folder)) >= 3)


def _later_epoch(folder: Path, rng: Random) -> int:
    """Number of records one to three epochs from now."""
    return epochs(folder) + rng.randrange(1, 4)


def _reached(child: Child, folder: Path, count: int) -> bool:
    return count <= EPOCHS and _until(child, lambda: epochs(folder) >= count)


def _until(child: Child, condition: Callable[[], bool]) -> bool:
    while not condition():
        if not running(child):
            return False
        time.sleep(0.001)
    return True


def _pause(child: Child, rng: Random, maximum: float) -> bool:
    time.sleep(rng.uniform(0, maximum))
    return running(child)
