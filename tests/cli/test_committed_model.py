"""The committed model: settings, file sizes and test error."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aejax import data
from aejax.runs.configuration import loads
from aejax.runs.recipes import RECIPES

MODEL = Path(__file__).parents[2] / "experiments" / "models" / "refined"
LARGEST = 12_000_000  # bytes


def test_settings_are_those_of_the_recipe_and_files_are_small():
    settings = loads((MODEL / "configuration.json").read_text(encoding="utf-8"))
    assert replace(settings, data_dir=None) == RECIPES["refined"].training
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < LARGEST


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_test_error_is_that_of_the_metrics(aejax, shared_data, tmp_path, count):
    if not (shared_data / "mnist").is_dir():
        pytest.skip(f"no archives of MNIST in {shared_data}")
    x = data.load(shared_data / "mnist").x_test[:count]
    np.save(tmp_path / "digits.npy", x)
    done = aejax("reconstruct", MODEL, tmp_path / "digits.npy", "--out", tmp_path / "found.npy")
    assert done.code == 0, done.err
    x_hat = np.load(tmp_path / "found.npy")
    errors = np.sum(np.square((x_hat - x) / 255), axis=(1, 2))
    recorded = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))["test_error"]
    tolerance = 4 * np.std(errors) / np.sqrt(count) if count < 10_000 else 1e-4 * recorded
    assert np.mean(errors) == pytest.approx(recorded, abs=tolerance)
