"""Folders of checkpoints on disk: listing, digests, and verification of their files."""

import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from aejax.interchange.sealed_json import parse_object

Configuration = Mapping[str, Any]


class DamagedCheckpointError(ValueError):
    """Files of a checkpoint or index are missing or altered."""


def steps(directory: str | PathLike[str]) -> list[int]:
    """Steps of the checkpoints in a folder, oldest first, without checking their files.

    Args:
        directory: folder of all checkpoints of a run.

    Returns:
        The steps; empty if there are none.
    """
    directory = Path(directory)
    if not directory.is_dir():
        return []
    found = (step_of(path) for path in directory.iterdir())
    return sorted(step for step in found if step is not None)


def step_of(checkpoint: Path) -> int | None:
    """Step of a checkpoint, from the name of its folder; None for other names."""
    return int(checkpoint.name) if checkpoint.name.isdecimal() else None


def altered_file(checkpoint: Path) -> str | None:
    """Find the first file of a checkpoint that does not match `digests.json`.

    Args:
        checkpoint: folder of the checkpoint.

    Returns:
        Description of the missing, altered or unreadable file; None if all match.
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
    """SHA-256 of every file in a folder, by name, except `digests.json`."""
    return {
        path.relative_to(folder).as_posix(): digest_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "digests.json"
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents(checkpoint: Path) -> dict[str, Any]:
    """Read `about.json` of a checkpoint, and verify its digest, but not those of the arrays.

    Args:
        checkpoint: folder of the checkpoint.

    Returns:
        Dict with step, epoch, validation loss, configuration and arrays.

    Raises:
        ValueError: if the file is missing, altered, or belongs to another step.
    """
    try:
        content = (checkpoint / "about.json").read_bytes()
        expected = parse_object((checkpoint / "digests.json").read_bytes())["about.json"]
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError("its content does not match its digest")
        about = parse_object(content)
        step, configuration, arrays = about["step"], about["configuration"], about["arrays"]
        if not isinstance(configuration, dict) or not isinstance(arrays, dict):
            raise ValueError("its configuration or arrays are not a JSON object")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("about.json is not what was written") from error
    if step_of(checkpoint) not in (None, step):
        raise ValueError(f"about.json is that of step {step}: the folder was renamed or replaced")
    return about
