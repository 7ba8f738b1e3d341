"""The identity of a run, and the SHA-256 of its files, in `digests.json` of its folder.

Every file that a run is read from is covered, by the identity too, so that an altered file, and one
of another run, is refused by name:
settings, figures and exported parameters by `digests.json`, which is sealed by a digest of its own;
each line of the history by a digest that is salted with the identity; checkpoints by their own
`digests.json` and by the index beside their folder, and the identity is part of what they are
compared by.

A folder without `digests.json` (of an earlier version, or deleted on purpose) is read unchecked but
for its checkpoints, which then say what the identity is; the next `train --resume` writes it.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from aejax import checkpoints
from aejax.interchange.sealed_json import seal, unseal
from aejax.runs.atomic_files import write_bytes, write_text

RUN = "identity in digests.json"
"""The key of the identity in the configuration that checkpoints are compared by."""

FILES = ("configuration.json", "about.json", "metrics.json", "parameters.safetensors")
"""Files that commands read, which a folder of an earlier version may hold already."""


class Digests(NamedTuple):
    """What `digests.json` holds.

    run:   the identity; None for a run that an earlier version began.
    files: the SHA-256 that a file may have, by name; None stands for a file that is missing. There
           are two while a file is being replaced, so that a kill leaves one of them.
    """

    run: str | None
    files: dict[str, list[str | None]]


def new_identity() -> str:
    """An identity that no other run has."""
    return secrets.token_hex(16)


def identity_file(run: Path) -> Path:
    """Where the identity and the digests of a run lie."""
    return run / "digests.json"


def identity_in(run: Path) -> str | None:
    """The identity of the run in a folder; None for one that an earlier version began.

    Args:
        run: the folder.

    Returns:
        The identity, from `digests.json`, or else from the newest checkpoint.

    Raises:
        ValueError: where `digests.json` is not what was written.
    """
    digests = _read(run)
    if digests is not None:
        return digests.run
    folder = run / "checkpoints"
    with suppress(ValueError, IndexError):
        newest = checkpoints.steps(folder)[-1]
        return checkpoints.contents(folder / str(newest))["configuration"].get(RUN)
    return None


def check_file(path: Path) -> None:
    """Refuse a file of a run that is not what was written.

    Args:
        path: the file, directly in the run's folder; it may be missing.

    Raises:
        ValueError: naming the file that is altered, missing or of another run.
    """
    digests = _read(path.parent)
    if digests is None:
        return
    found = _digest(path)
    if found not in digests.files.get(path.name, [None]):
        complaint = "is missing" if found is None else "is not what was written for this run"
        raise ValueError(
            f"{path} {complaint}; put it back from a copy, or, if it was changed on purpose, "
            f"delete {identity_file(path.parent)}: the folder is then read unchecked"
        )


def write_files(run: Path, identity: str | None, contents: Mapping[str, bytes]) -> None:
    """Replace files of a run; a kill at any moment leaves each as it was or as it shall be.

    Args:
        run: the folder; it is created if it is missing.
        identity: of the run. Where the folder holds another run's files, these are forgotten.
        contents: bytes by the file's name.
    """
    before = _read(run)
    files: dict[str, list[str | None]] = {}
    if before is None:
        files = {name: [_digest(run / name)] for name in FILES}
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
            raise TypeError("its files must each have a list of digests")
        return digests
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; put it back from a copy, or delete it: the folder is "
            "then read unchecked"
        ) from error


def _write(run: Path, digests: Digests) -> None:
    write_text(identity_file(run), json.dumps(seal(digests._asdict()), indent=2) + "\n")


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
