"""`aejax data list` and `aejax data prepare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from aejax import data


@dataclass(frozen=True)
class ListData:
    """List the data sets known by name, and whether they are ready.

    Example: aejax data list
    """

    data_dir: Path | None = None
    """where TFDS keeps prepared data sets; TFDS's own convention unless given"""


@dataclass(frozen=True)
class PrepareData:
    """Prepare a data set: download or read its archives, check them, write it where TFDS looks.

    Example: aejax data prepare mnist --manual-dir downloads
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """mnist, fashion_mnist, or any other TFDS name (which needs the extra aejax[tfds])"""
    manual_dir: Path | None = None
    """a folder that holds the original archives: nothing is downloaded then"""
    data_dir: Path | None = None
    """where TFDS keeps prepared data sets; TFDS's own convention unless given"""


def list_data(command: ListData) -> None:
    """Print the table of data sets."""
    table = Table("name", "what it is", "ready")
    for known in data.available(command.data_dir):
        table.add_row(known.name, known.description, "yes" if known.prepared else "no")
    Console(highlight=False).print(table)


def prepare_data(command: PrepareData) -> None:
    """Prepare the data set that the command names; print where it lies."""
    path = data.prepare(command.name, data_dir=command.data_dir, manual_dir=command.manual_dir)
    print(f"{command.name}: {path}")
