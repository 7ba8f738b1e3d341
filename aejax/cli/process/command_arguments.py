"""Words to a command through tyro, whose complaints become errors like all others."""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

FRAME = "╭╮╰╯│─+| "
"""What a box is drawn with, also where there is ASCII alone."""


def parse(command: Any, words: Sequence[str], **settings: Any) -> Any:
    """`tyro.cli`, but what it would draw in a box is raised as a ValueError of two lines.

    Args:
        command: the type that the words describe.
        words: the command line.
        settings: for `tyro.cli`.

    Returns:
        The command.

    Raises:
        ValueError: the complaint, and where to find help.
        SystemExit: once help has been shown.
    """
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            return tyro.cli(command, args=words, **settings)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(_unboxed(box.getvalue())) from stop


def _unboxed(box: str) -> str:
    """The paragraphs of a box, the last (where to find help) on a line of its own."""
    _, *rows, _ = box.splitlines()
    paragraphs = [""]
    for row in rows:
        text = row.strip(FRAME)
        if text.strip("-"):
            paragraphs[-1] += f" {text}"
        else:
            paragraphs.append("")
    *complaint, advice = (paragraph.strip() for paragraph in paragraphs if paragraph)
    return "; ".join(complaint) + f"\n{advice}"
