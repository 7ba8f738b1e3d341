"""`aejax push`: upload of a published run to the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from aejax.runs import model_hub


@dataclass(frozen=True)
class Push:
    """Upload a published run to a repository of the Hugging Face Hub.

    Example: aejax push published owner/name

    FOLDER is what `aejax publish` wrote. Log in first with `hf auth login`, or set HF_TOKEN. The
    repository is created if it is missing.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """folder that `aejax publish` wrote"""
    repository: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")]
    """repository of the Hub"""
    private: bool = False
    """make a new repository private"""


def push(command: Push) -> None:
    """Upload the folder and print the address of the commit."""
    address = model_hub.push(command.folder, command.repository, private=command.private)
    print(f"pushed: {address}")
