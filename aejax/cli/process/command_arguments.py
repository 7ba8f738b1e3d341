"""Command-line parsing with tyro, whose error messages become ordinary exceptions.

tyro has no public interface to its error messages (`tyro._errors` is private and changes without
notice): it prints them in a box and exits. The text is therefore extracted from the box.
"""

import io
import itertools
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from aejax.cli.process.help_groups import (
    Groups,
    HelpBuffer,
    captured_help,
    grouped,
    options,
    print_help,
    without_none,
)
from aejax.cli.process.suggestions import with_suggestions

BOX_CHARACTERS = "╭╮╰╯│─+| "
"""Characters that tyro draws boxes with, in Unicode and in ASCII."""


def parse(
    command: Any, arguments: Sequence[str], *, groups: Groups | None = None, **settings: Any
) -> Any:
    """Parse a command line with `tyro.cli`, and raise its errors as ValueError.

    Args:
        command: type of the command.
        arguments: command line without the program name.
        groups: groups of the options in the help text (default: those of tyro).
        settings: keyword arguments of `tyro.cli`.

    Returns:
        The command.

    Raises:
        ValueError: two lines, the error with similar valid words, and how to show the help.
        SystemExit: after the help has been printed.
    """
    box, text = io.StringIO(), HelpBuffer()
    try:
        with redirect_stderr(box), captured_help(text):
            return tyro.cli(command, args=arguments, **settings)
    except SystemExit as stop:
        if not stop.code:
            print_help(grouped(without_none(text.getvalue()), groups or {}))
            raise
        path, known = _selected(command, arguments, settings)
        message = with_suggestions(without_none(_text_in(box.getvalue())), known)
        raise ValueError(f"{message}\nFor full helptext, run {path} --help") from stop


def _selected(command: Any, arguments: Sequence[str], settings: Any) -> tuple[str, list[str]]:
    """Name of the (sub)command that a command line selects, and the names of its options."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))
    for count in range(len(words), -1, -1):  # the last words may be values, not subcommands
        text = HelpBuffer()
        try:
            with redirect_stderr(io.StringIO()), captured_help(text):
                tyro.cli(command, args=[*words[:count], "--help"], **settings)
        except SystemExit as stop:
            usage, *_ = text.getvalue().splitlines() or [""]
            path = " ".join([settings["prog"], *words[:count]])
            if not stop.code and f" {path} " in f" {usage} ":
                return path, list(options(text.getvalue()))
    return settings["prog"], []


def _text_in(box: str) -> str:
    """Text of an error box on one line, without its last paragraph (how to show the help)."""
    _, *rows, _ = box.splitlines()
    paragraphs = [""]
    for row in rows:
        text = row.strip(BOX_CHARACTERS)
        if text.strip("-"):
            paragraphs[-1] += f" {text}"
        else:
            paragraphs.append("")
    *messages, _ = (paragraph.strip() for paragraph in paragraphs if paragraph)
    return "; ".join(messages)
