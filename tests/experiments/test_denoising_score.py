"""The experiment on the score: its committed results, and comparisons that must fail."""

import json

import numpy as np

from experiments import denoising_score as experiment
from experiments.harness.records import summary_file


def test_an_error_that_does_not_decrease_at_every_step_is_not_confirmed():
    errors = {"10": [0.3, 0.3, 0.3], "40": [0.1, 0.1, 0.11], "160": [0.1, 0.12, 0.1]}
    found = experiment.observations({experiment.DENOISER: errors})
    assert [comparison.holds for comparison in found.values()] == [True, False]


def test_the_committed_results_agree_with_the_docstring():
    record = json.loads(summary_file("denoising_score").read_text(encoding="utf-8"))
    assert record["verdict"] == "confirmed"
    assert np.mean(record["metrics"][experiment.DENOISER]["25600"]) < 0.005
