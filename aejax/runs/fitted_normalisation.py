"""Normalisation that the settings of a run fit to its train examples."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from aejax.data import (
    Column,
    LazyArray,
    Normalisation,
    common_scale,
    identity,
    standardise,
    unit_range,
)
from aejax.data.columns import is_one_hot
from aejax.data.missing_values import normalise_observed
from aejax.runs.configuration import Training


def make_normalisation(
    training: Training,
    x_train: np.ndarray | LazyArray,
    *,
    low: float | None,
    high: float | None,
    observed: np.ndarray | None = None,
    columns: Sequence[Column] = (),
) -> Normalisation:
    """Make the normalisation, with one shift and one scale per feature.

    Args:
        training: settings of the run.
        x_train: train examples, in memory or lazy, whose statistics are used.
        low: lower bound of the values, if it is known.
        high: upper bound of the values, if it is known.
        observed: whether a value is used, with the shape of x_train (default: all are).
        columns: columns of a table; the loss by-column needs one-hot features as they are.

    Returns:
        The normalisation.
    """
    make = {
        "unit-range": unit_range
        if low is None or high is None
        else partial(unit_range, low=low, high=high),
        "standardise": standardise,
        "common-scale": common_scale,
        "none": lambda _: identity(),
    }[training.normalise]
    found = (
        make(x_train)
        if observed is None
        else normalise_observed(make, np.asarray(x_train), observed)
    )
    shift, scale = (np.broadcast_to(part, x_train.shape[1:]) for part in found)
    if training.loss == "by-column" and columns:
        fixed = is_one_hot(columns)
        shift, scale = np.where(fixed, 0.0, shift), np.where(fixed, 1.0, scale)
    return Normalisation(shift, scale)
