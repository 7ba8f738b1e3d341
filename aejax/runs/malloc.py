"""Thresholds of glibc's malloc, raised so that freed buffers are reused."""

import contextlib
import ctypes

MMAP_THRESHOLD_BYTES = 2**28
"""Size from which a block is mapped separately and returned to the system when it is freed.

Twice as much free memory at the top of the heap is kept before it is returned.
"""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, from malloc.h."""


def raise_malloc_thresholds() -> None:
    """Keep the memory that one training step frees for the next step.

    By default, glibc returns large blocks to Linux at once, which must then provide zeroed pages
    for every step. This can take a tenth of a step that is a program by itself. Nothing is changed
    if the C library is not glibc.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * MMAP_THRESHOLD_BYTES)
