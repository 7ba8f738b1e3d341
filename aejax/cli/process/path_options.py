"""Paths in command-line options: encoding and expansion of `~`."""

import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

ABSOLUTE_OPTIONS = {"data_dir"}
"""Options that are stored with a run and must not depend on the working directory."""


def check_encoding(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not valid text, which file formats and libraries cannot store.

    Args:
        arguments: the command line.

    Raises:
        ValueError: an argument contains bytes that the locale's encoding cannot decode.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            message = f"the argument {argument!r} contains bytes that are not UTF-8"
            raise ValueError(message) from error


def expand_home(command: Any) -> Any:
    """Expand `~` in the paths of a command.

    The shell expands `--out ~/x` but not `--out=~/x`. `~name` is unchanged if there is no such
    user. `aejax.data.load` expands the argument that is a path or the name of a data set.

    Args:
        command: dataclass, possibly nested.

    Returns:
        The same command with expanded `Path` fields.
    """
    return replace(
        command, **{f.name: _expanded(f.name, getattr(command, f.name)) for f in fields(command)}
    )


def _expanded(name: str, value: Any) -> Any:
    if is_dataclass(value):
        return expand_home(value)
    if type(value) is tuple:
        return tuple(_expanded(name, each) for each in value)
    if not isinstance(value, Path):
        return value
    path = Path(os.path.expanduser(value))
    return path.absolute() if name in ABSOLUTE_OPTIONS else path
