"""Choice of the epochs of a run that are saved: by time or by number, and always the best."""

import time
from collections.abc import Callable, Sequence

from aejax.runs.processes import max_over_processes
from aejax.training import TrainState
from aejax.training.epoch_loop import is_best
from aejax.training.placement import copy_state
from aejax.training.records import Record

SECONDS_BETWEEN_CHECKPOINTS = 10.0


def saver(
    write: Callable[[TrainState, Record], None], *, save_every: int | None
) -> Callable[[TrainState, Sequence[Record], bool], None]:
    """Make the function that saves the epochs that are due, and the best one before each.

    An epoch that is the best so far and is not due is copied, and saved before the next epoch that
    is. So the best epoch is on disk whenever a later one is.

    Args:
        write: saves a state with its record.
        save_every: number of epochs between checkpoints; None: those that end
            `SECONDS_BETWEEN_CHECKPOINTS` or more after the last checkpoint.

    Returns:
        A function of the state, the history up to it, and whether it must be saved.
    """
    best: tuple[TrainState, Record] | None = None
    saved_at = time.monotonic()

    def is_due(epoch: int) -> bool:
        if save_every is not None:
            return epoch % save_every == 0
        is_late = time.monotonic() - saved_at >= SECONDS_BETWEEN_CHECKPOINTS
        return bool(max_over_processes(int(is_late)))

    def save(state: TrainState, history: Sequence[Record], must_save: bool) -> None:
        nonlocal best, saved_at
        record = history[-1]
        is_new_best = is_best(history)
        if not must_save and not is_due(record["epoch"]):
            if is_new_best:
                best = copy_state(state), record  # the next epoch reuses the buffers of the state
            return
        if best is not None and not is_new_best:
            write(*best)
        write(state, record)
        best, saved_at = None, time.monotonic()

    return save
