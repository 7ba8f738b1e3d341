"""The index of a run's checkpoints, beside their folder: `checkpoints.json` of `checkpoints/`.

It lists every checkpoint with the SHA-256 of its `digests.json`, its epoch and its validation loss,
and is sealed by a digest of its own. So the best checkpoint is known without trusting any of them,
and one that is missing or exchanged is noticed.

A checkpoint in the folder that is not listed was written just before the process was killed, or by
an earlier version, which wrote no index; it counts where its own digests are right.
"""

import json
import math
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from aejax.checkpoints.folders import DamagedCheckpointError, contents, digest_of, steps
from aejax.interchange.sealed_json import seal, unseal


class Entry(NamedTuple):
    """A checkpoint as the index lists it.

    digest:          SHA-256 of its `digests.json`, which covers every other file.
    epoch:           epochs trained when it was saved.
    validation_loss: what the best is judged by; None competes for nothing.
    """

    digest: str
    epoch: int
    validation_loss: float | None


def index_file(directory: str | PathLike[str]) -> Path:
    """Where the index of a folder of checkpoints lies.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        Its name with `.json` appended, in the same parent.
    """
    absolute = os.path.abspath(directory)  # a name for "." too; links stay links
    return Path(f"{absolute}.json")


def read_index(directory: str | PathLike[str]) -> dict[int, Entry]:
    """The checkpoints that the index lists, whether they are there or not.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        Entries by step; empty where there is no index.

    Raises:
        DamagedCheckpointError: naming the index, where it is not what was written.
    """
    path = index_file(directory)
    try:
        found = unseal(path.read_bytes())["checkpoints"]
        return {int(step): Entry(**entry) for step, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedCheckpointError(
            f"{path} is damaged: {error}; delete it to rely on the checkpoints that are there"
        ) from error


def entry_of(checkpoint: Path) -> Entry:
    """What the index lists of a checkpoint, from its own files.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        The entry.

    Raises:
        ValueError: with a clause, where `about.json` or `digests.json` is not what was written.
    """
    about = contents(checkpoint)
    try:
        loss = about["validation_loss"]
        return Entry(
            digest=digest_of(checkpoint / "digests.json"),
            epoch=int(about["epoch"]),
            validation_loss=None if loss is None else float(loss),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError("about.json is not what `save` writes") from error


def entries(directory: str | PathLike[str], *, last: float = math.inf) -> dict[int, Entry]:
    """The checkpoints that the index lists, and those in the folder that it does not.

    Args:
        directory: the folder of all checkpoints of a run.
        last: the last step that is asked for.

    Returns:
        Entries by step.

    Raises:
        DamagedCheckpointError: naming the index or the unlisted checkpoint that is damaged.
    """
    known = {step: entry for step, entry in read_index(directory).items() if step <= last}
    for step in (step for step in steps(directory) if step <= last and step not in known):
        checkpoint = Path(directory) / str(step)
        try:
            known[step] = entry_of(checkpoint)
        except ValueError as error:
            raise DamagedCheckpointError(
                f"{checkpoint} is damaged: {error}; name a checkpoint (--checkpoint STEP), or "
                "delete this one"
            ) from error
    return known


def write_index(directory: Path, known: Mapping[int, Entry]) -> None:
    """Write the index atomically.

    Args:
        directory: the folder of all checkpoints of a run.
        known: entries by step.
    """
    path = index_file(directory)
    document = {"checkpoints": {str(step): known[step]._asdict() for step in sorted(known)}}
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(seal(document), indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
