"""Anomaly scores of new data by a trained run."""

from collections.abc import Iterator

import numpy as np

from aejax.data import LazyArray
from aejax.data.columns import Schema
from aejax.data.example_blocks import blocks
from aejax.evaluation import AnomalyScores, anomaly_scores, feature_errors
from aejax.runs.inference import TrainedRun, model_inputs, reconstructor
from aejax.runs.metrics import batch_blocks
from aejax.types import Array, Batch


def score(
    run: TrainedRun,
    x: np.ndarray | LazyArray,
    train_error: np.ndarray,
    *,
    contamination: float,
    weight: np.ndarray | None = None,
) -> AnomalyScores:
    """Score raw examples by their squared reconstruction error in normalised units.

    Args:
        run: trained run.
        x: raw examples [examples, *features].
        train_error: errors of the training examples, from `train_errors`.
        contamination: fraction of the training examples that are outliers, in (0, 0.5].
        weight: weights of the elements of x, zero for missing values, whose error is then 0.

    Returns:
        The scores; feature errors are [examples, *features].

    Raises:
        ValueError: for another feature shape than that of the train examples, or a contamination
            that is out of range.
    """
    shape = run.about.feature_shape
    inputs = np.concatenate([np.asarray(model_inputs(run, block)) for _, block in blocks(x)])
    x_hat = observed_only(reconstructor(run)(inputs), inputs, weight)
    rows = (len(inputs), *shape)
    return anomaly_scores(
        inputs.reshape(rows), x_hat.reshape(rows), train_error, contamination=contamination
    )


def train_errors(run: TrainedRun, train: Batch) -> np.ndarray:
    """Sum over features of the squared reconstruction errors of training examples.

    Args:
        run: trained run.
        train: normalised training examples in the shape of the model, with weights of zero for
            missing values.

    Returns:
        Errors [examples], float64.
    """
    reconstructed = reconstructor(run)

    def errors() -> Iterator[np.ndarray]:
        for batch in batch_blocks(train):
            x = np.asarray(batch.x)
            x_hat = observed_only(reconstructed(x), x, batch.weight)
            yield feature_errors(x, x_hat).reshape(len(x), -1).sum(axis=1)

    return np.concatenate(list(errors()))


def observed_only(
    x_hat: np.ndarray, x: np.ndarray, weight: np.ndarray | Array | None
) -> np.ndarray:
    """Reconstructions without error where a value is missing.

    Args:
        x_hat: reconstructions.
        x: examples, of the same shape.
        weight: weights of the elements, or None.

    Returns:
        x_hat, or x where the weight is zero.
    """
    return x_hat if weight is None else np.where(np.asarray(weight) > 0, x_hat, x)


def column_errors(schema: Schema | None, errors: np.ndarray) -> dict[str, np.ndarray]:
    """Errors by column of a table; that of a categorical column is the sum over its categories.

    Args:
        schema: columns of the features, or None for features without names.
        errors: squared errors [examples, features].

    Returns:
        Name of the column, or `feature_0`, `feature_1`, …, -> errors [examples].
    """
    if schema is None:
        return {f"feature_{i}": feature for i, feature in enumerate(errors.T)}
    widths = [len(column.categories or (None,)) for column in schema.columns]
    starts = np.cumsum([0, *widths[:-1]])
    sums = np.add.reduceat(errors, starts, axis=1)
    return {column.name: total for column, total in zip(schema.columns, sums.T, strict=True)}
