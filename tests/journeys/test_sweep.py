"""Journey 4: a sweep over code sizes, the smallest sufficient one, and its codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from tests.journeys.journey import shell, write

SWEEP = """
aejax sweep --data digits.npy --code 1 2 4 8 16 --sizes 64 64 16 --activation gelu \
  --code-activation identity --learning-rate 3e-3 1e-2 --epochs 30 --seeds 2 --out sweeps/digits
"""
CHOOSE = """
import pandas as pd

table = pd.read_csv("sweeps/digits/table.csv")
error = table.groupby(["code", "learning_rate"]).validation_error.mean().groupby("code").min()
print(error[error < 1.2 * error.min()].index.min())
"""
USE = """
code=$(python choose.py)
aejax encode sweeps/digits/runs/code-$code digits.npy --out codes.npy
aejax report sweeps/digits/runs/code-$code --out report.html
"""


@pytest.mark.slow
def test_a_sweep_to_a_chosen_code_size(journey):
    np.save(journey.folder / "digits.npy", load_digits().data.astype(np.float32))
    printed = shell(journey, SWEEP).out
    table = pd.read_csv(journey.folder / "sweeps" / "digits" / "table.csv")
    assert len(table) == 5 * 2 * 2
    error = table.groupby(["code", "learning_rate"]).validation_error.mean().groupby("code").min()
    assert error.is_monotonic_decreasing
    assert "sweeps/digits" in printed
    write(journey, "choose.py", CHOOSE)
    shell(journey, USE)
    assert np.load(journey.folder / "codes.npy").shape[1] in error.index
    assert (journey.folder / "sweeps" / "digits" / "sweep.html").exists()
    assert (journey.folder / "report.html").exists()
