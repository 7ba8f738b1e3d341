"""`aejax pull`: checked download of a published run from the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from aejax.runs import model_hub


@dataclass(frozen=True)
class Pull:
    """Download a published run from the Hugging Face Hub; verify it.

    Example: aejax pull owner/name --out model

    The other commands accept the folder in place of a run. Only plain data are downloaded: pickles
    and code in a repository are ignored.
    """

    repository: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")]
    """repository of the Hub"""
    out: Path | None = None
    """output folder, which must not exist; None: NAME"""
    revision: str | None = None
    """branch, tag or commit; None: the newest commit"""


def pull(command: Pull) -> None:
    """Download the run and print its folder, commit and licence."""
    out = Path(command.repository.rpartition("/")[2]) if command.out is None else command.out
    pulled = model_hub.pull(command.repository, out, revision=command.revision)
    print(f"{out}: commit {pulled.commit}, licence {pulled.license or 'not stated'}")
    if pulled.ignored:
        print(f"{pulled.ignored} other files of the repository were not downloaded")
