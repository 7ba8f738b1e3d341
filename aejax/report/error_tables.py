"""Tables of a run's report: reconstruction error of each feature, and the worst test examples."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from aejax.data.columns import Schema
from aejax.evaluation import feature_errors
from aejax.objectives import reconstruct
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun
from aejax.runs.presentation import has_comparable_output
from aejax.runs.scoring import column_errors

MAX_FEATURES = 50
"""Maximum number of features in the table, those with the largest errors."""

MAX_IDENTIFIERS = 3
"""Maximum number of columns without features that identify a row."""

NUM_WORST = 10
"""Number of test examples in the table of the largest errors."""


def error_tables(run: TrainedRun, examples: ShownExamples) -> dict[str, list[dict[str, Any]]]:
    """Make the tables of the errors of test examples that are vectors.

    Args:
        run: trained run.
        examples: its test examples.

    Returns:
        Title -> records, as for `aejax.report.tables.table`; empty for images, and for outputs of
        another shape than the examples.
    """
    if len(run.about.feature_shape) > 1 or not has_comparable_output(run):
        return {}
    x, _, weight = examples.batch
    x_hat = reconstruct(run.objective, run.params, jnp.asarray(x))
    squared = feature_errors(x, x_hat)
    if weight is not None:
        squared = np.where(np.asarray(weight) > 0, squared, np.nan)
    errors = column_errors(run.about.schema, squared)
    return {
        "Error by feature": _by_feature(errors, _summed(run.about.schema)),
        "Largest errors": _worst(examples, errors),
    }


def _summed(schema: Schema | None) -> dict[str, int]:
    """Number of one-hot features of each column, if any column of a table is categorical."""
    columns = () if schema is None else schema.columns
    widths = {column.name: len(column.categories or (None,)) for column in columns}
    return widths if any(column.categories for column in columns) else {}


def _by_feature(errors: dict[str, np.ndarray], summed: dict[str, int]) -> list[dict[str, Any]]:
    """Mean of each column over the rows in which it is observed."""
    observed = {name: error[~np.isnan(error)] for name, error in errors.items()}
    means = {name: float(error.sum() / max(1, len(error))) for name, error in observed.items()}
    total = sum(means.values()) or 1.0
    order = sorted(means, key=lambda name: -means[name])[:MAX_FEATURES]
    return [
        {
            "feature": name,
            "mean squared error": means[name],
            "share (%)": 100 * means[name] / total,
            **({"features summed": str(summed[name])} if summed else {}),
        }
        for name in order
    ]


def _worst(examples: ShownExamples, errors: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    names, values = list(errors), np.nan_to_num(np.stack(list(errors.values())))
    error, largest = values.sum(axis=0), values.argmax(axis=0)
    classes, others = examples.class_names, examples.others or {}
    identifiers = list(others.items())[: 1 + MAX_IDENTIFIERS]  # the first is the index of the row

    def record(row: int) -> dict[str, Any]:
        found: dict[str, Any] = {"test example": str(row)}
        found |= {name: str(column[row]) for name, column in identifiers}
        if classes is not None:
            found["class"] = str(classes[row])
        return found | {"squared error": float(error[row]), "largest in": names[largest[row]]}

    return [record(int(row)) for row in np.argsort(-error, kind="stable")[:NUM_WORST]]
