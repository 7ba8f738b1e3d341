"""Journey 6: two runs of the same data, listed and compared."""

import json

import pytest

from tests.journeys.journey import shell

USER = """
aejax train --data digits --sizes 64 32 --epochs 15 --learning-rate 0.01 --out runs/plain
aejax train --from runs/plain --corruption masking --out runs/denoising
aejax runs runs --sort test
aejax compare runs/plain runs/denoising --out comparison.html
"""


@pytest.mark.slow
def test_two_runs_are_compared(journey):
    tables = shell(journey, USER).out.rpartition("run: runs/denoising")[2]
    for name in ("plain", "denoising"):
        metrics = json.loads((journey.folder / "runs" / name / "metrics.json").read_text())
        assert tables.count(f"{metrics['test_error']:.4g}") == 2  # in the list and the comparison
    assert tables.count("masking") == 2
    page = (journey.folder / "comparison.html").read_text(encoding="utf-8")
    assert "runs/denoising" in page
    assert "masking" in page
