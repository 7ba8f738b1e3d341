"""Missing values of tables: their replacement, and statistics of the observed values alone."""

import shlex
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from aejax.data.dataset import Dataset
from aejax.data.normalisation import Normalisation, standardise

Missing = Literal["refuse", "mean", "weight-zero"]
"""Refuse missing values; replace them by the mean of their feature; or exclude them from losses."""


def fill_missing(dataset: Dataset, missing: Missing, names: Sequence[str]) -> Dataset:
    """Replace missing values by the mean of the observed training values of their feature.

    The mean of a one-hot feature is the frequency of its category.

    Args:
        dataset: data set of a table, with NaN for missing values.
        missing: "mean"; or "weight-zero", which also records the observed values.
        names: names of the features, for the error message.

    Returns:
        The data set with finite values, whose schema has the means.

    Raises:
        ValueError: for a feature without observed training values.
    """
    masks = [~np.isnan(x) for x in (dataset.x_train, dataset.x_test)]
    empty = ~masks[0].any(axis=0)
    if empty.any():
        name = names[int(np.argmax(empty))]
        raise ValueError(
            f"{dataset.name}: column {name!r} has no values in the training rows; leave it out of "
            f"training: --ignore {shlex.quote(name)}"
        )
    fill = normalise_observed(standardise, dataset.x_train, masks[0]).shift
    train, test = (
        np.where(mask, x, fill)
        for mask, x in zip(masks, (dataset.x_train, dataset.x_test), strict=True)
    )
    assert dataset.schema is not None
    schema = dataset.schema._replace(fill=tuple(fill.tolist()))
    observed = masks if missing == "weight-zero" else (None, None)
    return dataset._replace(
        x_train=train,
        x_test=test,
        schema=schema,
        observed_train=observed[0],
        observed_test=observed[1],
    )


def normalise_observed(
    make: Callable[[np.ndarray], Normalisation],
    x: Float[np.ndarray, "m features"],
    observed: Bool[np.ndarray, "m features"],
) -> Normalisation:
    """Make the normalisation of each feature from its observed values alone.

    Args:
        make: examples [m, 1] -> their normalisation, such as `standardise`.
        x: training examples.
        observed: whether a value is observed; at least one of each feature.

    Returns:
        The normalisation, with shift and scale [features].
    """
    columns = zip(x.T, observed.T, strict=True)
    found = [make(column[known][:, None]) for column, known in columns]
    shift, scale = (
        np.array([np.ravel(part)[0] for part in parts]) for parts in zip(*found, strict=True)
    )
    return Normalisation(shift, scale)
