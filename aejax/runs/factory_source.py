"""Source of a factory: its file and those of the user that it imports, and whether they changed.

A run records the digest of this source. An opened run warns of a change, because its parameters may
belong to other code; a resumed run refuses it, because half of the training would.
"""

import warnings
from pathlib import Path

from aejax.runs.factories import factory_file, import_folders
from aejax.runs.local_sources import local_sources
from aejax.runs.source_digest import code_digest, portable_dump


class ChangedSourceWarning(UserWarning):
    """The code that makes the objective of a run is no longer that of its training."""


def factory_digest(factory: str | None) -> str | None:
    """Digest of the source of a factory, without comments and docstrings.

    Args:
        factory: "module:function" or "file.py:function", or None.

    Returns:
        SHA-256 in hexadecimal; None without a factory, or if it has no Python file.
    """
    file = None if factory is None else factory_file(factory)
    if factory is None or file is None:
        return None
    sources = local_sources(file, import_folders(factory, file))
    return code_digest(sources, dump=portable_dump)


def warn_of_changed_source(run: Path, factory: str | None, recorded: str | None) -> None:
    """Warn if the source of a factory is not that of a run.

    Args:
        run: folder of the run.
        factory: factory of the run, or None.
        recorded: digest of its source in the run; None if it is not known.
    """
    if _is_changed(factory, recorded):
        warnings.warn(
            f"{factory} has changed since {run} was trained: the results may not be those of the "
            "run",
            ChangedSourceWarning,
            stacklevel=3,
        )


def check_source(run: Path, factory: str | None, recorded: str | None, *, digests: Path) -> None:
    """Refuse to resume a run if the source of its factory has changed.

    Args:
        run: folder of the run.
        factory: factory of the run, or None.
        recorded: digest of its source in the run; None if it is not known.
        digests: file with the digests of the run; if it is missing, nothing is refused.

    Raises:
        ValueError: if the source has changed.
    """
    if digests.exists() and _is_changed(factory, recorded):
        raise ValueError(
            f"{factory} has changed since {run} was started: restore it, or train another run; if "
            f"the change does not affect the training, delete {digests}: the folder is then read "
            "unchecked"
        )


def _is_changed(factory: str | None, recorded: str | None) -> bool:
    is_known = factory is not None and recorded is not None
    return is_known and factory_digest(factory) != recorded
