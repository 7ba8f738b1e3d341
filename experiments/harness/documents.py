"""Parts of a Markdown document that a command writes, each between two marks."""

from collections.abc import Sequence


def written(document: str, command: str, text: str) -> str:
    """The document with a text between a command's marks.

    Args:
        document: with both marks: the comments `written by `command`: begin` and `… end`.
        command: that writes the part.
        text: Markdown.
    """
    begin, end = (f"<!-- written by `{command}`: {which} -->" for which in ("begin", "end"))
    before, rest = document.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
