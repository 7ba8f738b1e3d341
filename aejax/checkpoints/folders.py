"""A run's checkpoints as they lie on disk: which there are, which is best, and which are whole."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Configuration = Mapping[str, Any]


class DamagedCheckpointError(ValueError):
    """A checkpoint's files are not those that were written; the message offers the newest whole."""


def steps(directory: Path) -> list[int]:
    """Steps of the checkpoints in a folder, oldest first; whether they are whole is not asked.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The steps; empty where there are none.
    """
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit())


def best_step(directory: Path) -> int | None:
    """Step of the checkpoint with the lowest validation loss; None where none was measured.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The step. A checkpoint that cannot be read, or whose loss is not finite, does not compete.
    """
    losses = {step: _validation_loss(directory / str(step)) for step in steps(directory)}
    finite = [step for step, loss in losses.items() if math.isfinite(loss)]
    return min(finite, key=losses.__getitem__, default=None)


def newest_whole_step(directory: Path) -> int | None:
    """Step of the newest checkpoint without damage; None where there is none.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The step.
    """
    return next(
        (step for step in reversed(steps(directory)) if not find_damage(directory / str(step))),
        None,
    )


def find_damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint's files.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        A clause that names the first file missing, altered or unreadable; None for a whole one.
    """
    try:
        expected = json.loads((checkpoint / "digests.json").read_text())
    except (OSError, ValueError, RecursionError):
        return "digests.json is missing or unreadable"
    found = digests(checkpoint)
    if not isinstance(expected, dict) or "about.json" not in expected:
        return "digests.json is not a table of digests"
    for name, digest in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != digest:
            return f"{name} is not what was written"
    return None


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder by name, but for that of the digests themselves."""
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "digests.json"
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(checkpoint: Path) -> tuple[Configuration, Configuration]:
    """The configuration and the arrays of a checkpoint whose digests are right."""
    try:
        about = _about(checkpoint)
        return dict(about["configuration"]), dict(about["arrays"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError(
            f"{checkpoint} is damaged: about.json is not what `save` writes"
        ) from error


def _about(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "about.json").read_text())


def _validation_loss(checkpoint: Path) -> float:
    try:
        return float(_about(checkpoint)["validation_loss"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return math.nan
