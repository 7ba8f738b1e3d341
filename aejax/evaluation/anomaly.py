"""Anomaly scores: reconstruction errors, and their rank among those of training examples.

An autoencoder that was trained on normal examples reconstructs others worse. All functions accept
NumPy or JAX arrays or lists, and compute in float64 on the host.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

ArrayLike = Any
"""NumPy or JAX array, or list."""


class AnomalyScores(NamedTuple):
    """Anomaly scores of examples; higher values are more anomalous.

    error:          sum of the squared errors over features, [examples].
    feature_errors: squared error of each feature, [examples, *features].
    rank:           fraction of the training examples with an error of at most this, in [0, 1].
    threshold:      error above which an example is an outlier.
    is_outlier:     whether the error is above the threshold, [examples].
    """

    error: Float[np.ndarray, " examples"]
    feature_errors: Float[np.ndarray, "examples *features"]
    rank: Float[np.ndarray, " examples"]
    threshold: float
    is_outlier: Bool[np.ndarray, " examples"]


def feature_errors(x: ArrayLike, x_hat: ArrayLike) -> Float[np.ndarray, "examples *features"]:
    """Squared reconstruction error of each feature, (x̂ − x)².

    Args:
        x: examples [examples, *features], normalised, so that features are comparable.
        x_hat: their reconstructions, of the same shape.

    Returns:
        Errors [examples, *features], float64.

    Raises:
        ValueError: if the shapes differ.
    """
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    if x.shape != x_hat.shape or x.ndim < 2:
        raise ValueError(
            f"x and x_hat must have the same shape [examples, *features], got {list(x.shape)} and "
            f"{list(x_hat.shape)}"
        )
    return np.square(x_hat - x)


def empirical_rank(errors: ArrayLike, reference: ArrayLike) -> Float[np.ndarray, " examples"]:
    """Empirical distribution function of reference errors, evaluated at errors.

    Args:
        errors: errors of examples, [examples].
        reference: errors of the training examples, one or more, finite.

    Returns:
        Fraction of the reference errors that are at most as large, [examples]; 1 for an error that
        is at least as large as all.

    Raises:
        ValueError: if there are no reference errors, or if one is not finite.

    Example:
        >>> from aejax.evaluation import empirical_rank
        >>> empirical_rank([0.5, 2.0, 9.0], [1.0, 2.0, 3.0, 4.0]).tolist()
        [0.0, 0.5, 1.0]
    """
    reference = _checked(reference)
    return np.searchsorted(np.sort(reference), np.asarray(errors), side="right") / len(reference)


def outlier_threshold(reference: ArrayLike, *, contamination: float) -> float:
    """Error above which an example is an outlier: a quantile of the errors of training examples.

    Args:
        reference: errors of the training examples, one or more, finite.
        contamination: fraction of the training examples that are outliers, in (0, 0.5].

    Returns:
        The quantile 1 − contamination, interpolated linearly as in scikit-learn's detectors.

    Raises:
        ValueError: if the contamination is out of range, if there are no reference errors, or if
            one is not finite.

    Example:
        >>> from aejax.evaluation import outlier_threshold
        >>> outlier_threshold([1.0, 2.0, 3.0, 4.0, 5.0], contamination=0.25)
        4.0
    """
    check_contamination(contamination)
    return float(np.quantile(_checked(reference), 1 - contamination))


def anomaly_scores(
    x: ArrayLike, x_hat: ArrayLike, reference: ArrayLike, *, contamination: float = 0.1
) -> AnomalyScores:
    """Anomaly scores of examples from their reconstructions.

    Args:
        x: examples [examples, *features], normalised.
        x_hat: their reconstructions.
        reference: errors of the training examples: the sum over features of `feature_errors`.
        contamination: fraction of the training examples that are outliers, in (0, 0.5].

    Returns:
        The `AnomalyScores`.

    Raises:
        ValueError: as `feature_errors` and `outlier_threshold`.

    Source: Hawkins et al. 2002 (reconstruction error of an autoencoder as outlier score).

    Example:
        >>> import numpy as np
        >>> from aejax.evaluation import anomaly_scores
        >>> x, x_hat = np.array([[1.0, 2.0], [5.0, 2.0]]), np.array([[1.0, 1.0], [1.0, 2.0]])
        >>> scores = anomaly_scores(x, x_hat, [0.5, 1.0, 1.5, 2.0])
        >>> scores.error.tolist(), scores.rank.tolist(), scores.is_outlier.tolist()
        ([1.0, 16.0], [0.5, 1.0], [False, True])
    """
    errors = feature_errors(x, x_hat)
    error = errors.reshape(len(errors), -1).sum(axis=1)
    threshold = outlier_threshold(reference, contamination=contamination)
    rank = empirical_rank(error, reference)
    return AnomalyScores(error, errors, rank, threshold, error > threshold)


def check_contamination(contamination: float) -> None:
    """Raise ValueError if a contamination is not a fraction in (0, 0.5]."""
    if not 0 < contamination <= 0.5:
        raise ValueError(f"contamination must be a fraction in (0, 0.5], got {contamination}")


def _checked(reference: ArrayLike) -> np.ndarray:
    """Reference errors as a float64 vector; ValueError for none, or for NaN or infinity."""
    errors = np.asarray(reference, np.float64)
    if errors.ndim != 1 or errors.size == 0 or not np.isfinite(errors).all():
        raise ValueError(
            "reference must be the finite errors of one or more training examples, [examples], got "
            f"shape {list(errors.shape)}"
            + ("" if errors.size == 0 else f", {errors.max()} at most")
        )
    return errors
