"""Standard output that can be narrow (ASCII, Latin-1) or closed early (`| head`)."""

import io
import os
import sys


def degrade_characters() -> None:
    """Print `?` for characters that the stream's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def flush() -> None:
    """Write what is buffered now, so that a failure is reported as the command's own.

    Raises:
        BrokenPipeError: the reader has closed the pipe.
        OSError: the output cannot be written to.
    """
    if sys.stdout is not None:  # closed by the shell (`>&-`)
        sys.stdout.flush()


def discard() -> None:
    """Send what is still buffered nowhere: Python would report the closed pipe at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
