"""Results of the eight virtual devices, shared by the tests of placements and of divided data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiler_flags import quick_compilation


def run_eight_devices(*arguments: str | Path) -> dict:
    """JSON results of `eight_devices.py`, run in a subprocess with eight virtual devices."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.sharding.eight_devices", *arguments],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "XLA_FLAGS": quick_compilation()},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Folder in which the eight devices save their checkpoint."""
    return tmp_path_factory.mktemp("eight") / "checkpoints"


@pytest.fixture(scope="session")
def eight(folder):
    return run_eight_devices(folder)


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    return run_eight_devices(tmp_path_factory.mktemp("every"), "--every")
