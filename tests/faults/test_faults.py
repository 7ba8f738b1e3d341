"""Runs that are killed, damaged or out of disk space lose nothing; the report counts outcomes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import page
from tests.faults.matrix import Record


def injections(cache: Path, *words: str) -> list[list[str]]:
    """Fields that `python -m tests.faults` prints for each injection."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--fresh", *words],
        cwd=page.ROOT,
        env=os.environ
        | {
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        },
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return [line.split(" | ") for line in process.stdout.splitlines()]


def check(found: list[list[str]]) -> None:
    outcomes = {cells[4] for cells in found}
    assert outcomes <= {"survived", "skipped"}, found
    if "skipped" in outcomes:
        pytest.skip("cannot mount a disk here; all other faults survived")


def test_no_run_is_lost_in_quick_mode(tmp_path):
    found = injections(tmp_path, "--quick")
    assert len(found) == 2
    check(found)
    assert int(found[0][3]) >= 2  # a run may end before the next signal


@pytest.mark.slow
def test_no_run_is_lost_by_any_fault(tmp_path):
    found = injections(tmp_path, "--tries", "3", "--seed", "1")
    check([cells for cells in found if cells[4] != "missed"])


RECORDS = [
    Record("kill -9", "saving", 0, 3, "survived", -9, "", 1.0),
    Record("kill -9", "saving", 1, 1, "lost", 1, "arrays differ", 1.0),
    Record("kill -9", "saving", 2, 0, "missed", 0, "", 1.0),
    Record("full disk", "starting", 0, 1, "survived", 2, "aejax: run: No space left", 1.0),
    Record("full disk", "starting", 1, 0, "skipped", 0, "no disk", 1.0),
]


def test_the_report_counts_injections_and_losses(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "SUMMARY", tmp_path / "faults.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "faults.md")
    page.write(RECORDS, seed=3)
    text = (tmp_path / "faults.md").read_text()
    assert "**5 injections, 4 survived, 1 lost.**" in text
    assert "| kill -9 | saving | 4 | 3 | 1 |  |" in text
    assert "| full disk | starting | 1 | 1 | 0 | `aejax: run: No space left` |" in text
