"""Command-line parsing with tyro, whose error messages become ordinary exceptions.

tyro has no public interface to its error messages (`tyro._errors` is private and changes without
notice): it prints them in a box and exits. The text is therefore extracted from the box.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

BOX_CHARACTERS = "╭╮╰╯│─+| "
"""Characters that tyro draws boxes with, in Unicode and in ASCII."""


def parse(command: Any, arguments: Sequence[str], **settings: Any) -> Any:
    """Parse a command line with `tyro.cli`, and raise its errors as ValueError.

    Args:
        command: type of the command.
        arguments: command line without the program name.
        settings: keyword arguments of `tyro.cli`.

    Returns:
        The command.

    Raises:
        ValueError: two lines, the error and how to show the help.
        SystemExit: after the help has been printed.
    """
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            return tyro.cli(command, args=arguments, **settings)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(_text_in(box.getvalue())) from stop


def _text_in(box: str) -> str:
    """Text of an error box: its paragraphs on one line, the last (help) on a second line."""
    _, *rows, _ = box.splitlines()
    paragraphs = [""]
    for row in rows:
        text = row.strip(BOX_CHARACTERS)
        if text.strip("-"):
            paragraphs[-1] += f" {text}"
        else:
            paragraphs.append("")
    *messages, advice = (paragraph.strip() for paragraph in paragraphs if paragraph)
    return "; ".join(messages) + f"\n{advice}"
