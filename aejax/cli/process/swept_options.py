"""Options of `aejax sweep` with several values, each of the type that `aejax train` accepts."""

from collections.abc import Sequence
from dataclasses import make_dataclass
from typing import Annotated, Any

import tyro

from aejax.cli.process.command_arguments import parse
from aejax.runs.sweep_grid import FIXED, setting_types


def split_swept(arguments: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Separate the options that have several values from a command line.

    Args:
        arguments: command line without the program name.

    Returns:
        The command line without these options, and setting -> words of its values.

    Raises:
        ValueError: if an option that cannot be swept has several values.
    """
    names = {name for name, hint in setting_types().items() if "tuple" not in str(hint)}
    rest: list[str] = []
    swept: dict[str, list[str]] = {}
    position = 0
    while position < len(arguments):
        stop = position + 1
        while stop < len(arguments) and not _is_option(arguments[stop]):
            stop += 1
        words = list(arguments[position:stop])
        name = words[0].removeprefix("--").replace("-", "_")
        if words[0].startswith("--") and name in names and (len(words) > 2 or name == "code"):
            swept[name] = words[1:]
        elif name in FIXED and name != "ignore" and len(words) > 2:
            raise ValueError(f"{words[0].removeprefix('--')} cannot be swept: {FIXED[name]}")
        else:
            rest += words
        position = stop
    return rest, swept


def parse_swept(swept: dict[str, list[str]]) -> dict[str, list[Any]]:
    """Parse the values of swept options.

    Args:
        swept: setting -> words, from `split_swept`.

    Returns:
        Setting -> values.

    Raises:
        ValueError: if a value has another type than the option.
    """
    hints, found = setting_types(), {}
    for name, words in swept.items():
        option = name.replace("_", "-")
        kind: Any = tuple[hints[name], ...]
        field = Annotated[kind, tyro.conf.arg(name=option)]
        command = make_dataclass("Sweep", [("values", field)])
        parsed = parse(command, [f"--{option}", *words], prog="aejax sweep")
        found[name] = list(parsed.values)
    return found


def _is_option(word: str) -> bool:
    """Whether a word is an option, not a value such as -1."""
    return word.startswith("-") and not word[1:2].isdigit() and word[1:2] != "."
