"""Output of a command: notes, warnings, encodings such as ASCII, closed pipes (`| head`)."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def replace_unencodable() -> None:
    """Print `?` for characters that the encoding of stdout or stderr lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print a warning of a category of aejax as one line, without a line of source code."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_short(message: Any, category: Any, *others: Any) -> None:
            if category.__module__.startswith("aejax."):
                print(f"aejax: {message}", file=sys.stderr)
            else:
                show(message, category, *others)

        warnings.showwarning = show_short
        yield


def print_notes(*notes: str) -> None:
    """Print notes on stderr, without empty ones.

    Args:
        notes: sentences without a final stop, or "".
    """
    for note in filter(None, notes):
        print(f"aejax: {note}", file=sys.stderr)


def flush_output() -> None:
    """Flush standard output, so that a failure is reported by the command, not at exit.

    Raises:
        BrokenPipeError: the reader has closed the pipe.
        OSError: the output cannot be written.
    """
    if sys.stdout is not None:  # closed by the shell (`>&-`)
        sys.stdout.flush()


def discard_output() -> None:
    """Redirect standard output to the null device: the flush at exit would fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def print_error(message: str) -> None:
    """Print the first two lines of an error message on stderr, after the name of the program."""
    print("aejax:", "\n".join(message.splitlines()[:2]), file=sys.stderr)
