"""Large freed blocks are reused, not returned to the system (counted by page faults)."""

import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource
from aejax.runs.malloc import raise_malloc_thresholds

C = ctypes.CDLL(None)
C.malloc.restype, C.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
C.free.argtypes = [ctypes.c_void_p]

def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        block = C.malloc(size)
        ctypes.memset(block, 1, size)
        C.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

size = 40 * 2**20  # above glibc's default thresholds, which it raises by itself up to 32 MiB
default = faults(size)
raise_malloc_thresholds()
faults(size)
print(default, faults(size))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_large_blocks_are_reused():
    default, raised = map(int, subprocess.check_output([sys.executable, "-c", FAULTS]).split())
    assert raised < default / 10
