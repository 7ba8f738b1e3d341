"""Memory that steps need again and again stays with the process."""

import contextlib
import ctypes

KEPT = 2**28
"""Bytes of a block that is kept when it is freed, and half of what is kept in all."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of glibc's, in malloc.h."""


def keep_memory() -> None:
    """Keep what one step frees for the next: by default Linux takes large blocks back at once.

    It then clears their pages anew for every step, which can take a tenth of a step that is a
    program of its own. Where the C library is not glibc, nothing is changed.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        settings = ctypes.CDLL(None).mallopt
        settings(MMAP_THRESHOLD, KEPT)
        settings(TRIM_THRESHOLD, 2 * KEPT)
