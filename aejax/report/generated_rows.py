"""Tables of generated examples in a report, in the columns of the data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.data.columns import from_features
from aejax.runs.inference import TrainedRun

SHOWN_COLUMNS = 12
"""Maximum number of columns of a table of generated rows."""

CHANGES = 3
"""Number of features that are named for a unit, those that it changes most."""


def generated_rows(
    run: TrainedRun, x_hat: np.ndarray, labels: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Records of generated examples, in the columns of the data.

    Args:
        run: trained run.
        x_hat: generated examples in the units of the data, [rows, *features].
        labels: first columns of each row (default: none).

    Returns:
        The rows of a table.
    """
    flat = x_hat.reshape(len(x_hat), -1)
    columns = _columns(run, flat)
    names = [*columns][:SHOWN_COLUMNS]
    starts = labels or [{}] * len(flat)
    return [
        {**start, **{name: _plain(columns[name][row]) for name in names}}
        for row, start in enumerate(starts)
    ]


def _columns(run: TrainedRun, flat: np.ndarray) -> Mapping[str, np.ndarray]:
    if run.about.schema is not None:
        return from_features(run.about.schema.columns, flat)
    return {f"feature_{i}": column for i, column in enumerate(flat.T)}


def largest_changes(run: TrainedRun, ends: np.ndarray) -> str:
    """Names and values of the columns that differ most, in normalised units; text comes first.

    Args:
        run: trained run.
        ends: two examples in the units of the data, [2, features].

    Returns:
        The text.
    """
    columns = _columns(run, ends)
    scales = np.asarray(run.normalisation.scale, np.float64).ravel()
    if len(scales) != len(columns):  # one-hot features, which are not scaled
        scales = np.ones(len(columns))
    changes = {
        name: abs(last - first) / scale if values.dtype.kind == "f" else np.inf
        for (name, values), scale in zip(columns.items(), scales, strict=True)
        for first, last in [values]
        if first != last
    }
    largest = sorted(changes, key=lambda name: -changes[name])[:CHANGES]
    return "; ".join(f"{name}: {' to '.join(map(_text, columns[name]))}" for name in largest)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str:
    value = _plain(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
