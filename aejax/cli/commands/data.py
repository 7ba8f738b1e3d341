"""`aejax data list` and `aejax data prepare`: data sets known by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from aejax import data


@dataclass(frozen=True)
class ListData:
    """List the data sets known by name, and which are ready for use.

    Example: aejax data list
    """

    data_dir: Path | None = None
    """directory of prepared TFDS data sets; None: that of TFDS"""


@dataclass(frozen=True)
class PrepareData:
    """Download a data set and prepare it in the format of TFDS.

    Example: aejax data prepare mnist --manual-dir downloads
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """mnist, fashion_mnist, or another TFDS name (requires the extra aejax[tfds])"""
    manual_dir: Path | None = None
    """directory of the original archives, to prepare them without a download"""
    data_dir: Path | None = None
    """directory of prepared TFDS data sets; None: that of TFDS"""


def list_data(command: ListData) -> None:
    """Print a table of the data sets."""
    table = Table("name", "description", "ready")
    for known in data.available(command.data_dir):
        table.add_row(known.name, known.description, "yes" if known.prepared else "no")
    Console(highlight=False).print(table)


def prepare_data(command: PrepareData) -> None:
    """Prepare a data set and print its directory."""
    path = data.prepare(command.name, data_dir=command.data_dir, manual_dir=command.manual_dir)
    print(f"{command.name}: {path}")
