"""Paths among a command's options, as a shell or a home directory gives them."""

import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

ABSOLUTE = {"data_dir"}
"""Options that a run's settings keep, and that must mean the same from another directory."""


def check_encoding(words: Sequence[str]) -> None:
    """Refuse bytes that are no text: file formats and libraries below could not keep such a name.

    Args:
        words: the command line.

    Raises:
        ValueError: for a word that holds bytes which the locale's encoding cannot decode.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"the argument {word!r} holds bytes that are not UTF-8") from error


def expanded(command: Any) -> Any:
    """A command whose paths start from the home directory where they start with `~`.

    The shell expands `--out ~/x` but not `--out=~/x`. A `~` that is no user's stays. Text that is a
    path or the name of a data set is left to `aejax.data.load`.

    Args:
        command: a dataclass, perhaps with dataclasses in it.

    Returns:
        The same command with its `Path` fields expanded.
    """
    return replace(
        command, **{f.name: _expanded(f.name, getattr(command, f.name)) for f in fields(command)}
    )


def _expanded(name: str, value: Any) -> Any:
    if is_dataclass(value):
        return expanded(value)
    if not isinstance(value, Path):
        return value
    path = Path(os.path.expanduser(value))
    return path.absolute() if name in ABSOLUTE else path
