"""Moments of a run's life, recognised by what lies in its folder."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults.processes import Child, running
from faults.runs import EPOCHS, RUN, epochs, steps

Moment = Callable[[Child, Path, Random], bool]
"""Wait in (process, folder, chance) for the moment; False where the process ended before it."""


def starting(child: Child, folder: Path, chance: Random) -> bool:
    """Up to the first record: data are read, settings written, the program compiled."""
    limit = time.monotonic() + chance.uniform(0, 2)
    while running(child) and time.monotonic() < limit and epochs(folder) == 0:
        time.sleep(0.001)
    return running(child)


def training(child: Child, folder: Path, chance: Random) -> bool:
    """At any time between the first record and the last."""
    return _reached(child, folder, chance.randrange(1, EPOCHS)) and _pause(child, chance, 0.1)


def saving(child: Child, folder: Path, chance: Random) -> bool:
    """While a checkpoint is written, which has no number yet."""

    def partial() -> bool:
        return any((folder / RUN / "checkpoints").glob("*.partial/state*"))

    reached = _reached(child, folder, chance.randrange(1, EPOCHS))
    return reached and _until(child, partial) and _pause(child, chance, 0.04)


def ending(child: Child, folder: Path, chance: Random) -> bool:
    """After the last record: the last checkpoint and the figures are written."""
    return _reached(child, folder, EPOCHS) and _pause(child, chance, 0.5)


def _reached(child: Child, folder: Path, count: int) -> bool:
    return _until(child, lambda: epochs(folder) >= count)


def _until(child: Child, condition: Callable[[], bool]) -> bool:
    while not condition():
        if not running(child):
            return False
        time.sleep(0.001)
    return True


def _pause(child: Child, chance: Random, longest: float) -> bool:
    time.sleep(chance.uniform(0, longest))
    return running(child)


def checkpointed(child: Child, folder: Path) -> bool:
    """Half way, with more than one checkpoint."""
    return _until(child, lambda: len(steps(folder)) >= 3)
