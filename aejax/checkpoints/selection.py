"""Which checkpoint is best, which is the newest, and which are whole."""

import math
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path

from aejax.checkpoints.folders import (
    DamagedCheckpointError,
    altered_file,
    contents,
    digest_of,
    step_of,
    steps,
)
from aejax.checkpoints.index import Entry, entries, index_file, read_index


def best_step(directory: str | PathLike[str], *, last: float = math.inf) -> int | None:
    """Step of the checkpoint with the lowest validation loss; None where none was measured.

    Args:
        directory: the folder of all checkpoints of a run.
        last: the last step that competes.

    Returns:
        The step, as the index has it, so that it may be of a checkpoint that is missing now, which
        `restore` refuses by name. A loss that is not finite does not compete.

    Raises:
        DamagedCheckpointError: where the index, or the loss of a checkpoint that the index does not
            list, is not what was written.
    """
    return best_of(entries(directory, last=last))


def check_best(directory: str | PathLike[str], *, last: float = math.inf) -> None:
    """Refuse a folder whose best checkpoint, which a resumed run would keep, is damaged.

    Args:
        directory: the folder of all checkpoints of a run.
        last: the last step that competes.

    Raises:
        DamagedCheckpointError: saying what to delete to resume without it.
    """
    step = best_step(directory, last=last)
    damage = None if step is None else find_damage(Path(directory) / str(step))
    if damage is not None:
        raise DamagedCheckpointError(
            f"{Path(directory) / str(step)}, the best checkpoint, is damaged: {damage}; put it "
            f"back from a copy, or delete it and {index_file(directory)} to do without it"
        )


def best_of(known: Mapping[int, Entry]) -> int | None:
    """The step with the lowest finite validation loss among entries; None where there is none."""
    losses = {step: entry.validation_loss for step, entry in known.items()}
    finite = {step: loss for step, loss in losses.items() if loss is not None}
    finite = {step: loss for step, loss in sorted(finite.items()) if math.isfinite(loss)}
    return min(finite, key=finite.__getitem__, default=None)


def newest_intact_step(directory: str | PathLike[str]) -> int | None:
    """Step of the newest checkpoint without damage; None where there is none.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The step.
    """
    directory = Path(directory)
    return next(
        (step for step in reversed(steps(directory)) if not find_damage(directory / str(step))),
        None,
    )


def find_damage(checkpoint: str | PathLike[str]) -> str | None:
    """What is wrong with a checkpoint's files.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        A clause that names the first file missing, altered or unreadable; None for a whole one.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_dir():
        return "it is missing"
    if _exchanged(checkpoint):
        return f"digests.json is not the one that {index_file(checkpoint.parent).name} lists"
    altered = altered_file(checkpoint)
    if altered is not None:
        return altered
    try:
        contents(checkpoint)
    except ValueError as error:
        return str(error)
    return None


def _exchanged(checkpoint: Path) -> bool:
    """Whether the index lists other digests for a checkpoint; what is not listed is not judged."""
    path = checkpoint / "digests.json"
    with suppress(DamagedCheckpointError):  # of the index, which `read_index` reports by itself
        step, known = step_of(checkpoint), read_index(checkpoint.parent)
        entry = None if step is None else known.get(step)
        return entry is not None and path.is_file() and digest_of(path) != entry.digest
    return False
