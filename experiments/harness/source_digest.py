"""Digest of the source code that determines an experiment's results.

The digest covers the experiment's file, the harness and all of aejax, because some imports are
dynamic. It ignores comments, formatting, docstrings and the texts of experiment records; reverting
a change restores the digest.
"""

import hashlib
from functools import cache
from pathlib import Path

import aejax
from aejax import studies
from aejax.runs.source_digest import python_files

PACKAGES = (Path(aejax.__file__).parent, Path(__file__).parent)
"""Folders with the modules that every digest covers."""

TEXTS = ("title", "claim", "source", "expected", "run_time", "figure")
"""Arguments of `Experiment` that do not affect results."""


def sources_digest(experiment_file: Path) -> str:
    """Compute the digest of an experiment's code, as it is on disk.

    Args:
        experiment_file: Python file of the experiment.

    Returns:
        SHA-256 in hexadecimal.
    """
    own = code_digest([experiment_file])
    return hashlib.sha256((own + _packages_digest()).encode()).hexdigest()


def code_digest(files: list[Path]) -> str:
    """Compute the digest of Python files as `aejax.studies` does, without texts of records."""
    return studies.code_digest(files, {"Experiment": TEXTS})


@cache  # the imported code does not change during the process
def _packages_digest() -> str:
    return code_digest([file for folder in PACKAGES for file in python_files(folder)])
