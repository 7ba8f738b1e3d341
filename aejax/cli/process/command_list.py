"""List of the commands: names, one line of help for each, and the check of a command's name."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from aejax.cli.process.suggestions import did_you_mean

MAXIMUM_SUMMARY = 64
"""Maximum length of the help of a command in the list, which fits 80 columns."""


def command_types(union: Any) -> dict[str, type]:
    """Types of all commands by name.

    Args:
        union: union of types annotated by `tyro.conf.subcommand`, possibly nested.

    Returns:
        Name, such as `train` or `data list` -> dataclass, in order.
    """
    found: dict[str, type] = {}
    for member in get_args(union):
        kind, setting = get_args(member)
        nested = command_types(kind)
        found |= {f"{setting.name} {name}": each for name, each in nested.items()}
        if not nested:
            found[setting.name] = kind
    return found


def overview(types: Mapping[str, type], description: str) -> str:
    """List the commands, one line each.

    Args:
        types: dataclass of each command by name.
        description: text of the program, printed around the list: its first line before, the other
            paragraphs after the list.

    Returns:
        The text.
    """
    width = max(map(len, types))
    lines = [f"  {name:{width}}  {_summary(each)}" for name, each in types.items()]
    summary, _, rest = description.partition("\n")
    parts = ["usage: aejax COMMAND [OPTIONS]", summary, "\n".join(["commands:", *lines])]
    return "\n\n".join([*parts, rest.strip()]) + "\n"


def check_command(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a command line whose first words name no command.

    Args:
        arguments: command line without the program name, not empty.
        names: names of all commands.

    Raises:
        ValueError: the first word, or the first two, name no command; with similar names and a list
            of all.
    """
    first, *others = arguments
    nested = [name.partition(" ")[2] for name in names if name.startswith(f"{first} ")]
    if nested:
        _check_word(others[0] if others else "", nested, prefix=f"{first} ")
    else:
        _check_word(first, list(dict.fromkeys(name.partition(" ")[0] for name in names)))


def _check_word(word: str, names: Sequence[str], *, prefix: str = "") -> None:
    if word in names or word.startswith("-"):
        return
    raise ValueError(
        f"no command {prefix}{word}{did_you_mean(word, names)}\n"
        f"Commands: {', '.join(prefix + name for name in names)}. Help: aejax --help"
    )


def _summary(kind: type) -> str:
    """First line of a command's docstring, without details after a semicolon or a list."""
    summary = (inspect.getdoc(kind) or "").partition("\n")[0]
    if len(summary) <= MAXIMUM_SUMMARY:
        return summary
    return f"{re.split('[:;]', summary)[0]}."
