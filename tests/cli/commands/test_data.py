"""`aejax data`: the list, and the preparation of MNIST from archives without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest

OFFLINE = """
import socket, sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_no_tensorflow(name, *rest):
    return None if name.partition(".")[0] == "tensorflow" else find(name, *rest)

def no_network(*_):
    raise OSError("no network")

PathFinder.find_spec, socket.socket.connect = find_no_tensorflow, no_network
from aejax.cli import main
data = ["--data-dir", sys.argv[2]]
assert main(["data", "prepare", "mnist", "--manual-dir", sys.argv[1], *data]) == 0
train = "train --data mnist --sizes 784 8 --batch-size 6000 --epochs 1 --out".split()
assert main([*train, sys.argv[3], *data]) == 0
assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
"""


def test_list_shows_which_data_sets_are_ready(tmp_path, aejax):
    outcome = aejax("data list --data-dir", tmp_path)
    rows = {line.split("│")[1].strip(): line for line in outcome.out.splitlines() if "│" in line}
    assert (outcome.code, outcome.err) == (0, "")
    assert {"digits", "photos", "mnist", "fashion_mnist"} <= rows.keys()
    assert " yes " in rows["digits"]
    assert " no " in rows["mnist"]


@pytest.mark.slow
def test_mnist_is_prepared_offline_without_tensorflow(shared_data, tmp_path):
    if not (shared_data / "mnist").is_dir():
        pytest.skip(f"no archives of MNIST in {shared_data}")
    words = [
        sys.executable,
        "-c",
        OFFLINE,
        shared_data / "mnist",
        tmp_path / "data",
        tmp_path / "run",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mnist: ")
    assert Path(tmp_path / "run/metrics.json").is_file()
    assert "PCA, 8 components" in done.stdout
