"""Journey 10: a system that lacks what Linux has, as Windows and macOS do.

There is no `posix_fallocate`; standard output, file names and the default of `open` are ASCII; the
home directory cannot be written; another time zone; folders with blanks; a table as Excel writes
it, with a byte-order mark and Windows line ends.
"""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from tests.journeys.journey import python, shell

MISSING = """
import multiprocessing, os

for name in ("posix_fallocate", "sched_getaffinity", "getloadavg"):
    if hasattr(os, name):
        delattr(os, name)
multiprocessing.set_start_method("spawn", force=True)
"""
"""Start of every Python process."""

COMMANDS = """
aejax train --data "my data/wine.csv" --label cultivar --schedule constant \
  --epochs 5 --out "my runs/first"
aejax train --resume --epochs 8 --out "my runs/first"
aejax encode "my runs/first" "my data/wine.csv" --out codes.csv
aejax report "my runs/first" --out report.html
"""

SCRIPT = """
import optax
import aejax
from aejax import data, losses, runs

wine = data.load("my data/wine.csv", label="cultivar")
scale = data.standardise(wine.x_train)
objective = aejax.objective(aejax.dense((15, 4)), losses.squared)
options = {"out": "my runs/mine", "key": 0, "normalisation": scale, "progress": True}
runs.train(objective, optax.adam(1e-2), wine.x_train, epochs=2, **options)
run = runs.train(objective, optax.adam(1e-2), wine.x_train, epochs=4, resume=True, **options)
print(run)
print(runs.encode(run, wine.x_test).shape)
"""


@pytest.fixture
def variables(journey, tmp_path) -> dict[str, str]:
    """Environment of the other system, with a table in the folder."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(MISSING)
    wine = load_wine(as_frame=True)
    table = wine.data.assign(cultivar=[f"Säure {label}" for label in wine.target])
    table["origin"] = np.where(wine.target == 0, "Piemont", "Île-de-Ré")
    (journey.folder / "my data").mkdir()
    path = journey.folder / "my data" / "wine.csv"
    table.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return ascii_only | {
        "PYTHONPATH": str(tmp_path / "start"),
        "PYTHONIOENCODING": "ascii",
        "HOME": "/dev/null/nobody",
        "TZ": "Asia/Kathmandu",
        "TERM": "dumb",
    }


class Text(HTMLParser):
    """Text of a page."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def handle_data(self, data):
        self.text += data


@pytest.mark.slow
def test_commands_on_another_system(journey, variables):
    out, err = shell(journey, COMMANDS, **variables)
    assert (out + err).isascii()
    assert err.count("epoch ") == 4  # the first and the last of both trainings
    codes = pd.read_csv(journey.folder / "codes.csv", encoding="utf-8")
    assert set(codes.cultivar) == {"Säure 0", "Säure 1", "Säure 2"}
    page = Text()
    page.feed((journey.folder / "report.html").read_text(encoding="utf-8"))
    assert "origin" in page.text


def test_a_script_on_another_system(journey, variables):
    out, err = python(journey, SCRIPT, **variables)
    assert (out + err).isascii()
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        f"epoch {epoch}" for epoch in ("1/2", "2/2", "3/4", "4/4")
    ]
    assert "(35, 4)" in out
