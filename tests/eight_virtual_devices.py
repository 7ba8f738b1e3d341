"""Runs a module of the tests in a process with eight virtual devices.

The process of the tests has one device, as most users have.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.compiler_flags import quick_compilation


def on_eight_devices(module: str, *arguments: str | Path) -> dict:
    """JSON results that a module prints with eight virtual devices."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "XLA_FLAGS": quick_compilation()},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)
