"""Identity of a run and SHA-256 digests of its files, in `digests.json` of its folder.

Commands refuse files that have been altered or belong to another run, and name them:
- settings, metrics and exported parameters have digests in `digests.json`, which contains a digest
  of itself;
- each line of the history has a digest, salted with the identity;
- checkpoints have a `digests.json` of their own and an index beside their folder; the identity is
  part of the configuration that they are compared by.

If `digests.json` is missing (in runs of earlier versions, or because it was deleted on purpose),
only checkpoints are verified, and the identity is read from them. The next `train --resume` writes
the file.
"""

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from aejax import checkpoints
from aejax.interchange.sealed_json import seal, unseal
from aejax.runs.atomic_files import write_bytes, write_text
from aejax.runs.json_files import json_text

IDENTITY_KEY = "identity in digests.json"
"""Key of the identity in the configuration that checkpoints are compared by."""

COVERED_FILES = ("configuration.json", "about.json", "metrics.json", "parameters.safetensors")
"""Files that commands read and that a folder of an earlier version may contain already."""


class Digests(NamedTuple):
    """Contents of `digests.json`.

    run:   identity of the run; None for a run that an earlier version started.
    files: allowed SHA-256 digests of each file by name; None means that the file is missing. While
           a file is replaced, its old and its new digest are both allowed.
    """

    run: str | None
    files: dict[str, list[str | None]]


def with_identity(settings: Mapping[str, Any], identity: str | None) -> dict[str, Any]:
    """Settings of a checkpoint: those of the training, and the identity of the run."""
    return dict(settings) if identity is None else {**settings, IDENTITY_KEY: identity}


def new_identity() -> str:
    """Create a random identity."""
    return secrets.token_hex(16)


def identity_file(run: Path) -> Path:
    """Path of the identity and the digests of a run."""
    return run / "digests.json"


def read_identity(run: Path) -> str | None:
    """Read the identity of a run.

    Args:
        run: folder of the run.

    Returns:
        The identity in `digests.json` or, without this file, in the newest checkpoint; None for a
        run that an earlier version started.

    Raises:
        ValueError: `digests.json` is damaged.
    """
    digests = _read(run)
    if digests is not None:
        return digests.run
    folder = run / "checkpoints"
    with suppress(ValueError, IndexError):
        newest = checkpoints.steps(folder)[-1]
        return checkpoints.contents(folder / str(newest))["configuration"].get(IDENTITY_KEY)
    return None


def check_digest(path: Path) -> None:
    """Compare a file of a run with its digest.

    Args:
        path: file in the folder of the run; it may be missing.

    Raises:
        ValueError: the file is altered, missing, or belongs to another run.
    """
    digests = _read(path.parent)
    if digests is None:
        return
    found = _digest(path)
    if found not in digests.files.get(path.name, [None]):
        problem = "is missing" if found is None else "is not what was written for this run"
        raise ValueError(
            f"{path} {problem}; restore it from a copy, or, if it was changed on purpose, "
            f"delete {identity_file(path.parent)}: the folder is then read unchecked"
        )


def write_files(run: Path, identity: str | None, contents: Mapping[str, bytes]) -> None:
    """Replace files of a run; if the process is killed, each file is either old or new.

    Args:
        run: folder of the run; it is created if it is missing.
        identity: identity of the run. Digests of another run in this folder are dropped.
        contents: contents of the files by name.
    """
    before = _read(run)
    files: dict[str, list[str | None]] = {}
    if before is None:
        files = {name: [_digest(run / name)] for name in COVERED_FILES}
    elif before.run == identity:
        files = before.files
    after: dict[str, list[str | None]] = {}
    for name, data in contents.items():
        after[name] = [hashlib.sha256(data).hexdigest()]
    either = {name: [_digest(run / name), *digest] for name, digest in after.items()}
    _write(run, Digests(identity, files | either))
    for name, data in contents.items():
        write_bytes(run / name, data)
    _write(run, Digests(identity, files | after))


def _read(run: Path) -> Digests | None:
    path = identity_file(run)
    try:
        digests = Digests(**unseal(path.read_bytes()))
        if not all(isinstance(known, list) for known in digests.files.values()):
            raise TypeError("each file must have a list of digests")
        return digests
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; restore it from a copy, or delete it: the folder is then "
            "read unchecked"
        ) from error


def _write(run: Path, digests: Digests) -> None:
    write_text(identity_file(run), json_text(seal(digests._asdict())))


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
