"""A checkpoint's folder on disk: which there are, and whether each holds what was written."""

import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from aejax.interchange.sealed_json import parse_object

Configuration = Mapping[str, Any]


class DamagedCheckpointError(ValueError):
    """A checkpoint's files are not those that were written; the message offers the newest whole."""


def steps(directory: str | PathLike[str]) -> list[int]:
    """Steps of the checkpoints in a folder, oldest first; whether they are whole is not asked.

    Args:
        directory: the folder of all checkpoints of a run.

    Returns:
        The steps; empty where there are none.
    """
    directory = Path(directory)
    if not directory.is_dir():
        return []
    found = (step_of(path) for path in directory.iterdir())
    return sorted(step for step in found if step is not None)


def step_of(checkpoint: Path) -> int | None:
    """The step that a checkpoint's folder is named by; None for a folder of another name."""
    return int(checkpoint.name) if checkpoint.name.isdecimal() else None


def altered_file(checkpoint: Path) -> str | None:
    """The first file of a checkpoint that is not what its `digests.json` says.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        A clause that names the file missing, altered or unreadable; None where all are as written.
    """
    try:
        expected = parse_object((checkpoint / "digests.json").read_bytes())
    except (OSError, ValueError):
        return "digests.json is missing or unreadable"
    if "about.json" not in expected:
        return "digests.json is not a table of digests"
    found = digests(checkpoint)
    for name, digest in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != digest:
            return f"{name} is not what was written"
    return None


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder by name, but for that of the digests themselves."""
    return {
        path.relative_to(folder).as_posix(): digest_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "digests.json"
    }


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's `about.json`; its own digest is checked, and not those of the arrays.

    Args:
        checkpoint: one checkpoint's folder.

    Returns:
        Its step, epoch, validation loss, configuration and arrays.

    Raises:
        ValueError: with a clause, where the file is missing, altered, or of another step.
    """
    try:
        content = (checkpoint / "about.json").read_bytes()
        expected = parse_object((checkpoint / "digests.json").read_bytes())["about.json"]
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError("its content does not match its digest")
        about = parse_object(content)
        step, configuration, arrays = about["step"], about["configuration"], about["arrays"]
        if not isinstance(configuration, dict) or not isinstance(arrays, dict):
            raise ValueError("its configuration or its arrays are no JSON object")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("about.json is not what `save` writes") from error
    if step_of(checkpoint) not in (None, step):
        raise ValueError(f"about.json is that of step {step}: the folder was renamed or exchanged")
    return about
