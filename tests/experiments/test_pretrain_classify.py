"""Balanced orders, comparisons that must fail, and the committed results."""

import json

import numpy as np

from experiments import pretrain_classify as experiment
from experiments.harness import balanced_order
from experiments.harness.records import summary_file


def test_every_prefix_is_as_class_balanced_as_possible():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 20)
    order = balanced_order(labels, 0)
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    for count in (3, 9, 59, 60):
        counts = np.bincount(labels[order[:count]], minlength=3)
        assert counts.max() - counts.min() <= (count % 3 > 0)
    np.testing.assert_array_equal(labels[order[80:]], 0)  # the last of the most frequent class
    assert not np.array_equal(order, balanced_order(labels, 1))


def test_an_equally_good_code_is_not_confirmed():
    ways = ("pixels", "PCA", *experiment.CODES, *experiment.NETWORKS)
    worse = {way: [0.5, 0.52, 0.51] for way in ways}
    better = worse | {"denoising": [0.6, 0.63, 0.61]}
    holds = experiment.observations({"10": worse, "100": better})
    assert [claim for claim in holds if holds[claim].holds] == [
        f"accuracy, denoising less {other}, 100 labels" for other in ("pixels", "PCA", "plain")
    ]


def test_the_committed_results_agree_with_the_docstring():
    metrics = json.loads(summary_file("pretrain_classify").read_text(encoding="utf-8"))["metrics"]
    verdict = experiment.observations(metrics)
    assert all(verdict[claim].holds for claim in verdict if not claim.endswith(" 10 labels"))
    mean = {way: np.mean(seeds) for way, seeds in metrics["1000"].items()}
    for way, accuracy in {"pixels": 0.84, "plain": 0.87, "denoising": 0.9, "sparse": 0.91}.items():
        assert abs(mean[way] - accuracy) < 0.01
    assert mean["sparse"] > mean["random start"]
