"""Signals interrupt a long call into LAPACK immediately."""

import subprocess
import sys
import threading

import pytest

from aejax.theory.analysis.interruptible import interruptible

# The eigendecomposition would take minutes; the alarm fires during it.
PROGRAM = """
import signal, sys
import numpy as np
from aejax.theory.analysis.interruptible import interruptible

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, stop)
matrix = np.ones((9000, 9000), np.float32)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    interruptible(np.linalg.eigh, matrix)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_interrupts_eigenvectors_that_take_minutes():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "interrupted\n"


def test_results_and_exceptions_are_passed_through():
    assert interruptible(divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        interruptible(divmod, 1, 0)
    assert interruptible(threading.current_thread).daemon
