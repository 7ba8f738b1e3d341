"""Markdown tables, and generated sections of Markdown documents between two markers."""

from collections.abc import Sequence


def replace_section(document: str, command: str, text: str) -> str:
    """Replace the section between the markers of a command.

    Args:
        document: document with both markers: comments `written by `command`: begin` and `… end`.
        command: command that writes the section.
        text: new content (Markdown).
    """
    begin, end = (f"<!-- written by `{command}`: {which} -->" for which in ("begin", "end"))
    before, rest = document.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
