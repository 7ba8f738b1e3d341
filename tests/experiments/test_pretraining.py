"""The experiment on pretraining: small, and its verdict on numbers made up to fail."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from experiments import pretraining as experiment

SUMMARY = Path(__file__).parents[2] / "docs" / "results" / "pretraining.json"


def made_up(**last):
    """Errors of two seeds by start, the same for both optimizers."""
    curves = {start: [[5.0, error] for error in errors] for start, errors in last.items()}
    return {"errors": dict.fromkeys(experiment.OPTIMIZERS, curves)}


def test_one_pretraining_that_does_not_help_is_not_confirmed():
    good, bad = [1.0, 1.1, 0.9], [3.0, 1.0, 4.0]
    random = [3.0, 3.1, 3.2]
    helps = experiment.verdict(made_up(random=random, boltzmann=good, denoising=good))
    assert helps["confirmed"] is True
    fails = experiment.verdict(made_up(random=random, boltzmann=good, denoising=bad))
    assert fails["confirmed"] is False


@pytest.mark.slow
def test_the_small_setting_runs_and_spends_one_budget_on_every_start():
    config = experiment.QUICK
    results = experiment.run(config)
    for curves in results["errors"].values():
        epochs = {start: np.array(curves[start]).shape for start in experiment.STARTS}
        assert epochs == {"random": (2, 6), "boltzmann": (2, 2), "denoising": (2, 2)}
    assert len(experiment.plot(config, results).axes) == 2


def test_the_committed_summary_is_of_this_configuration_and_keeps_the_docstrings_promise():
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    metrics = summary["metrics"]
    assert summary["config"] == json.loads(json.dumps(asdict(experiment.Config())))
    assert metrics["confirmed"]
    for curves in metrics["errors"].values():
        last = {start: np.array(curves[start])[:, -1] for start in experiment.STARTS}
        for start in experiment.STARTS[1:]:
            assert (last[start] < 0.7 * last["random"]).all()
    stuck = np.array(metrics["errors"]["gradient descent"]["random"])[:, -1]
    np.testing.assert_allclose(stuck, metrics["mean"], rtol=0.01)
