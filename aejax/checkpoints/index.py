"""Index of the checkpoints of a run: `checkpoints.json` next to the folder `checkpoints/`.

It lists each checkpoint with the SHA-256 of its `digests.json`, its epoch and its validation loss,
and contains a digest of itself. So the best checkpoint is known without trusting the checkpoints,
and a missing or replaced one is detected.

A checkpoint that is not in the index was written just before the process was killed, or by a
version of aejax without an index; it is valid if its own digests match.
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
    """Entry of a checkpoint in the index.

    digest:          SHA-256 of its `digests.json`, which covers all other files.
    epoch:           number of epochs trained.
    validation_loss: criterion of the best checkpoint; None excludes the checkpoint.
    """

    digest: str
    epoch: int
    validation_loss: float | None


def index_file(directory: str | PathLike[str]) -> Path:
    """Path of the index of a folder of checkpoints.

    Args:
        directory: folder of all checkpoints of a run.

    Returns:
        The path of the folder with `.json` appended.
    """
    absolute = os.path.abspath(directory)  # gives "." a name, and does not resolve links
    return Path(f"{absolute}.json")


def read_index(directory: str | PathLike[str]) -> dict[int, Entry]:
    """Read the index, whether or not its checkpoints exist.

    Args:
        directory: folder of all checkpoints of a run.

    Returns:
        Entries by step; empty if there is no index.

    Raises:
        DamagedCheckpointError: if the index is damaged.
    """
    path = index_file(directory)
    try:
        found = unseal(path.read_bytes())["checkpoints"]
        return {int(step): Entry(**entry) for step, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedCheckpointError(
            f"{path} is damaged: {error}; delete it to use the existing checkpoints without it"
        ) from error


def entry_of(checkpoint: Path) -> Entry:
    """Create the index entry of a checkpoint from its files.

    Args:
        checkpoint: folder of the checkpoint.

    Returns:
        The entry.

    Raises:
        ValueError: if `about.json` or `digests.json` is damaged.
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
        raise ValueError("about.json has invalid entries") from error


def entries(directory: str | PathLike[str], *, last: float = math.inf) -> dict[int, Entry]:
    """Entries of all checkpoints, including those that are not in the index.

    Args:
        directory: folder of all checkpoints of a run.
        last: maximum step to consider.

    Returns:
        Entries by step.

    Raises:
        DamagedCheckpointError: if the index is damaged, or a checkpoint that is not in it.
    """
    known = {step: entry for step, entry in read_index(directory).items() if step <= last}
    for step in (step for step in steps(directory) if step <= last and step not in known):
        checkpoint = Path(directory) / str(step)
        try:
            known[step] = entry_of(checkpoint)
        except ValueError as error:
            raise DamagedCheckpointError(
                f"{checkpoint} is damaged: {error}; select another (--checkpoint STEP), or delete "
                "this one"
            ) from error
    return known


def write_index(directory: Path, known: Mapping[int, Entry]) -> None:
    """Write the index atomically.

    Args:
        directory: folder of all checkpoints of a run.
        known: entries by step.
    """
    path = index_file(directory)
    document = {"checkpoints": {str(step): known[step]._asdict() for step in sorted(known)}}
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(seal(document), indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
