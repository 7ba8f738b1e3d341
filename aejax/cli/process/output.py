"""Standard output with a limited encoding (ASCII, Latin-1) or a closed pipe (`| head`)."""

import io
import os
import sys


def replace_unencodable() -> None:
    """Print `?` for characters that the encoding of stdout or stderr lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


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
