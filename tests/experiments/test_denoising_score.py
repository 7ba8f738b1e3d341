"""The experiment on the score: small, and its verdict on numbers made up to fail."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from experiments import denoising_score as experiment

SUMMARY = Path(__file__).parents[2] / "docs" / "results" / "denoising_score.json"


@pytest.fixture(scope="module")
def results():
    return experiment.run(experiment.QUICK)


def test_the_error_falls_with_data(results):
    few, many = np.array(results[experiment.DENOISER])
    assert few.shape == (experiment.QUICK.seeds,)
    assert np.all(many < 0.5 * few)
    assert results["confirmed"]


def test_the_figure_has_its_three_panels(results):
    titles = [
        axis.get_title(loc="left") for axis in experiment.plot(experiment.QUICK, results).axes
    ]
    assert [title for title in titles if title] == [
        "∇ log p_σ over p_σ",
        "‖learned − exact‖, contours of p_σ",
        "error, share of E‖∇ log p_σ‖²",
    ]


def test_an_error_that_does_not_fall_with_every_step_is_not_confirmed():
    errors = [[0.3, 0.3, 0.3], [0.1, 0.1, 0.11], [0.1, 0.12, 0.1]]
    found = experiment.verdict({"examples": [10, 40, 160], experiment.DENOISER: errors})
    assert found["confirmed"] is False
    assert found["slope"][2] < 0  # the slope alone would not have shown it


def test_the_committed_summary_is_of_this_configuration_and_keeps_the_docstrings_promise():
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    assert summary["config"] == json.loads(json.dumps(asdict(experiment.Config())))
    assert summary["metrics"]["confirmed"]
    assert np.mean(summary["metrics"][experiment.DENOISER][-1]) < 0.005
