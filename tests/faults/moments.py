"""Moments of a run's life, recognised by what lies in its folder."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.faults.processes import Child, running
from tests.faults.runs import EPOCHS, RUN, epochs, steps

Moment = Callable[[Child, Path, Random], bool]
"""Wait in (process, folder, chance) for the moment; False where the process ended before it."""


def starting(child: Child, folder: Path, chance: Random) -> bool:
    """Up to the first record: data are read, settings written, the program compiled."""
    before, limit = epochs(folder), time.monotonic() + chance.uniform(0, 2)
    while running(child) and time.monotonic() < limit and epochs(folder) == before:
        time.sleep(0.001)
    return running(child)


def training(child: Child, folder: Path, chance: Random) -> bool:
    """Between two records, of which the last epoch's is none."""
    return _reached(child, folder, _soon(folder, chance)) and _pause(child, chance, 0.1)


def saving(child: Child, folder: Path, chance: Random) -> bool:
    """While a checkpoint is written, which has no number yet."""

    def partial() -> bool:
        return any((folder / RUN / "checkpoints").glob("*.partial/state*"))

    reached = _reached(child, folder, _soon(folder, chance))
    return reached and _until(child, partial) and _pause(child, chance, 0.04)


def ending(child: Child, folder: Path, chance: Random) -> bool:
    """After the last record: the last checkpoint and the figures are written."""
    return _reached(child, folder, EPOCHS) and _pause(child, chance, 0.5)


def half_way(child: Child, folder: Path, _: Random) -> bool:
    """As soon as there are several checkpoints."""
    return _until(child, lambda: len(steps(folder)) >= 3)


def _soon(folder: Path, chance: Random) -> int:
    """A record or more from now."""
    return epochs(folder) + chance.randrange(1, 4)


def _reached(child: Child, folder: Path, count: int) -> bool:
    return count <= EPOCHS and _until(child, lambda: epochs(folder) >= count)


def _until(child: Child, condition: Callable[[], bool]) -> bool:
    while not condition():
        if not running(child):
            return False
        time.sleep(0.001)
    return True


def _pause(child: Child, chance: Random, longest: float) -> bool:
    time.sleep(chance.uniform(0, longest))
    return running(child)
