"""Splits of a data set, and the choice by validation accuracy."""

import numpy as np
import pytest

from aejax import data
from experiments.harness.code_use import best_on_validation, three_parts


def test_parts_do_not_overlap():
    dataset = data.digits()
    count = len(dataset.x_train)
    examples, labels = three_parts(dataset, count - 200, 200)
    assert [len(part) for part in examples] == [count - 200, 200, len(dataset.x_test)]
    assert [len(part) for part in labels] == [count - 200, 200, len(dataset.x_test)]
    np.testing.assert_array_equal(np.concatenate(labels[:2]), dataset.labels_train)
    with pytest.raises(ValueError, match=f"but digits has {count} training examples"):
        three_parts(dataset, count - 199, 200)
    with pytest.raises(ValueError, match="no labels"):
        three_parts(dataset._replace(labels_train=None), 100, 100)


def test_the_best_setting_has_the_highest_mean_validation_accuracy():
    settings = {
        "a": {"validation accuracy": [0.9, 0.5], "accuracy": [1.0, 1.0]},
        "b": {"validation accuracy": [0.8, 0.7], "accuracy": [0.0, 0.0]},
    }
    assert best_on_validation(settings) == "b"
