"""Selection of the best and the newest intact checkpoint, and detection of damage."""

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
    """Step of the checkpoint with the lowest finite validation loss; None if there is none.

    Args:
        directory: folder of all checkpoints of a run.
        last: maximum step to consider.

    Returns:
        The step according to the index. Its checkpoint may be missing; `restore` reports that.

    Raises:
        DamagedCheckpointError: if the index is damaged, or a checkpoint that is not in the index.
    """
    return best_of(entries(directory, last=last))


def check_best(directory: str | PathLike[str], *, last: float = math.inf) -> None:
    """Check that the best checkpoint, which a resumed run keeps, is intact.

    Args:
        directory: folder of all checkpoints of a run.
        last: maximum step to consider.

    Raises:
        DamagedCheckpointError: if it is damaged; the message states what to delete.
    """
    step = best_step(directory, last=last)
    damage = None if step is None else find_damage(Path(directory) / str(step))
    if damage is not None:
        raise DamagedCheckpointError(
            f"{Path(directory) / str(step)}, the best checkpoint, is damaged: {damage}; restore it "
            f"from a copy, or delete it and {index_file(directory)} to resume without it"
        )


def best_of(known: Mapping[int, Entry]) -> int | None:
    """Step with the lowest finite validation loss among entries; None if there is none."""
    losses = {step: entry.validation_loss for step, entry in known.items()}
    finite = {step: loss for step, loss in losses.items() if loss is not None}
    finite = {step: loss for step, loss in sorted(finite.items()) if math.isfinite(loss)}
    return min(finite, key=finite.__getitem__, default=None)


def newest_intact_step(directory: str | PathLike[str]) -> int | None:
    """Step of the newest checkpoint without damage.

    Args:
        directory: folder of all checkpoints of a run.

    Returns:
        The step; None if there is none.
    """
    directory = Path(directory)
    return next(
        (step for step in reversed(steps(directory)) if not find_damage(directory / str(step))),
        None,
    )


def find_damage(checkpoint: str | PathLike[str]) -> str | None:
    """Find the first damaged file of a checkpoint.

    Args:
        checkpoint: folder of the checkpoint.

    Returns:
        Description of the first missing, altered or unreadable file; None if all are intact.
    """
    checkpoint = Path(checkpoint)
    if not checkpoint.is_dir():
        return "it is missing"
    if _is_replaced(checkpoint):
        return f"digests.json is not the one that {index_file(checkpoint.parent).name} lists"
    altered = altered_file(checkpoint)
    if altered is not None:
        return altered
    try:
        contents(checkpoint)
    except ValueError as error:
        return str(error)
    return None


def _is_replaced(checkpoint: Path) -> bool:
    """Whether the index has another digest for a checkpoint; False if it is not in the index."""
    path = checkpoint / "digests.json"
    with suppress(DamagedCheckpointError):  # a damaged index is reported by `read_index`
        step, known = step_of(checkpoint), read_index(checkpoint.parent)
        entry = None if step is None else known.get(step)
        return entry is not None and path.is_file() and digest_of(path) != entry.digest
    return False
