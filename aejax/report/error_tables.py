"""Tables of a run's report: reconstruction error of each feature, and the worst test examples."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from aejax.evaluation import feature_errors
from aejax.objectives import reconstruct
from aejax.runs.examples import ShownExamples
from aejax.runs.inference import TrainedRun
from aejax.runs.presentation import has_comparable_output
from aejax.runs.scoring import column_errors

MAX_FEATURES = 50
"""Maximum number of features in the table, those with the largest errors."""

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
    x = examples.batch.x
    x_hat = reconstruct(run.objective, run.params, jnp.asarray(x))
    errors = column_errors(run.about.schema, feature_errors(x, x_hat))
    return {
        "Error by feature": _by_feature(errors),
        "Largest errors": _worst(run, examples, errors),
    }


def _by_feature(errors: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    means = {name: float(error.mean()) for name, error in errors.items()}
    total = sum(means.values()) or 1.0
    order = sorted(means, key=lambda name: -means[name])[:MAX_FEATURES]
    return [
        {"feature": name, "mean squared error": means[name], "share (%)": 100 * means[name] / total}
        for name in order
    ]


def _worst(
    run: TrainedRun, examples: ShownExamples, errors: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    names, values = list(errors), np.stack(list(errors.values()))
    error, largest = values.sum(axis=0), values.argmax(axis=0)
    classes = None if run.about.schema is None else run.about.schema.classes

    def record(row: int) -> dict[str, Any]:
        found: dict[str, Any] = {"test example": str(row)}
        if examples.labels is not None:
            label = int(examples.labels[row])
            found["class"] = str(label) if classes is None else classes[label]
        return found | {"squared error": float(error[row]), "largest in": names[largest[row]]}

    return [record(int(row)) for row in np.argsort(-error, kind="stable")[:NUM_WORST]]
