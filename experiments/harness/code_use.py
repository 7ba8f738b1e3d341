"""Use of a code: reconstruction error, and accuracy of a linear classifier."""

from typing import Any

import aejax
from aejax import data
from aejax.types import Params
from experiments.harness.classification import linear_accuracy
from experiments.harness.training import flatten_and_scale, mean_squared_error

Parts = tuple[Any, Any, Any]
"""Training, validation and test examples, or their labels."""


def three_parts(dataset: data.Dataset, train: int, validation: int) -> tuple[Parts, Parts]:
    """Split a labelled data set into training, validation and test examples.

    Args:
        dataset: data set with bounds and labels.
        train: number of training examples, from the start of the training data.
        validation: number of validation examples, from the end of the training data.

    Returns:
        Examples as rows in [0, 1], and their labels.

    Raises:
        ValueError: if the data set has too few training examples, no bounds or no labels.
    """
    if train + validation > len(dataset.x_train) or dataset.labels_train is None:
        raise ValueError(
            f"{train} training and {validation} validation examples need as many labelled examples,"
            f" but {dataset.name} has {len(dataset.x_train)} training examples and "
            f"{'no' if dataset.labels_train is None else 'all'} labels"
        )
    x, x_test = flatten_and_scale(dataset)
    y = dataset.labels_train
    return (x[:train], x[-validation:], x_test), (y[:train], y[-validation:], dataset.labels_test)


def measure_use(
    objective: aejax.Objective, params: Params, examples: Parts, labels: Parts
) -> dict[str, float]:
    """Measure what a code is good for.

    Args:
        objective: objective with the model and the output link; its other terms are not used.
        params: parameters of the model.
        examples: training, validation and test examples, each [examples, features].
        labels: their classes.

    Returns:
        Squared "error" of a test example; "validation accuracy" and test "accuracy" of a linear
        classifier fitted to the codes of training examples.
    """
    code, code_validation, code_test = (objective.model.encode(params, x) for x in examples)
    return {
        "error": float(mean_squared_error(objective, params, examples[2])),
        "validation accuracy": linear_accuracy(code, labels[0], code_validation, labels[1]),
        "accuracy": linear_accuracy(code, labels[0], code_test, labels[2]),
    }


def best_on_validation(settings: dict[str, dict[str, list[float]]]) -> str:
    """Name of the setting with the highest mean "validation accuracy" over seeds."""
    return max(settings, key=lambda name: sum(settings[name]["validation accuracy"]))
