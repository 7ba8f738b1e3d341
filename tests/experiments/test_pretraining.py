"""Pretraining: the committed results, and comparisons that must fail."""

import json

import numpy as np

from experiments import pretraining as experiment
from experiments.harness.records import summary_file


def made_up(**last):
    """Errors of three seeds by start, the same for both optimizers."""
    curves = {start: [[5.0, error] for error in errors] for start, errors in last.items()}
    return {"errors": dict.fromkeys(experiment.OPTIMIZERS, curves)}


def test_one_pretraining_that_does_not_help_is_not_confirmed():
    good, bad = [1.0, 1.1, 0.9], [3.0, 1.0, 4.0]
    random = [3.0, 3.1, 3.2]
    helps = experiment.observations(made_up(random=random, boltzmann=good, denoising=good))
    assert all(comparison.holds for comparison in helps.values())
    fails = experiment.observations(made_up(random=random, boltzmann=good, denoising=bad))
    assert [comparison.holds for comparison in fails.values()] == [True, False] * 2


def test_the_committed_results_agree_with_the_docstring():
    metrics = json.loads(summary_file("pretraining").read_text(encoding="utf-8"))["metrics"]
    for curves in metrics["errors"].values():
        last = {start: np.array(curves[start])[:, -1] for start in experiment.STARTS}
        for start in experiment.STARTS[1:]:
            assert (last[start] < 0.7 * last["random"]).all()
    stuck = np.array(metrics["errors"]["gradient descent"]["random"])[:, -1]
    np.testing.assert_allclose(stuck, metrics["mean"], rtol=0.01)
