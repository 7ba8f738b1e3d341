"""Balanced orders, accuracy with few labels, and comparisons that must fail."""

import numpy as np

from experiments import pretrain_classify as experiment
from experiments.harness import balanced_order, classification


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


def test_few_labels_are_classified_as_by_ridge_regression_on_codes_of_one_scale():
    rng = np.random.default_rng(0)
    labels, labels_test = rng.integers(0, 3, 200), rng.integers(0, 3, 300)
    means = rng.normal(size=(3, 6)) * [5, 1, 1, 0.1, 1, 1]
    x, x_test = (
        means[y] + rng.normal(size=(len(y), 6)) * [5, 1, 1, 0.1, 1, 1]
        for y in (labels, labels_test)
    )
    draws = [balanced_order(labels, seed)[:30] for seed in range(3)]
    scale = np.sqrt(np.var(x, axis=0).mean())
    z, z_test = (x - x.mean(axis=0)) / scale, (x_test - x.mean(axis=0)) / scale
    expected = []
    for rows in draws:
        target = np.where(labels[rows][:, None] == range(3), 1.0, -1.0)
        known, shift = z[rows] - z[rows].mean(axis=0), z[rows].mean(axis=0)
        errors = {}
        for alpha in classification.FEW_LABEL_ALPHAS:
            weights = np.linalg.solve(known.T @ known + alpha * np.eye(6), known.T)
            hat = known @ weights + 1 / len(rows)
            left_out = (target - hat @ target) / (1 - np.diag(hat))[:, None]
            errors[alpha] = np.square(left_out).mean(), weights @ target
        _, weights = min(errors.values(), key=lambda pair: pair[0])
        scores = (z_test - shift) @ weights + target.mean(axis=0)
        expected.append(np.mean(scores.argmax(axis=1) == labels_test))
    found = classification.few_label_accuracy(x, x_test, labels, labels_test, draws)
    assert abs(found - np.mean(expected)) < 1e-9
