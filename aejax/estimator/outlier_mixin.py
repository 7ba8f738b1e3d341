"""Outlier detection by a threshold on `score_samples`, with scikit-learn's sign conventions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from aejax.estimator.settings import as_float


def _has_contamination(estimator: Any) -> bool:
    if estimator.contamination is None:
        raise AttributeError(
            "decision_function and predict need a threshold: fit with contamination, the expected "
            "fraction of outliers, such as contamination=0.1"
        )
    return True


class OutlierThresholdMixin:
    """`decision_function` and `predict` of an estimator with `score_samples` and `contamination`.

    They exist if contamination is not None. `fit` calls `_set_offset`.
    """

    contamination: float | None
    offset_: float
    score_samples: Callable[[Any], np.ndarray]

    @available_if(_has_contamination)
    def decision_function(self, X: Any) -> np.ndarray:
        """Score of each example relative to the threshold; negative for outliers.

        Args:
            X: examples [examples, features].

        Returns:
            score_samples(X) − offset_, [examples].

        Raises:
            NotFittedError: if the estimator is not fitted, or has no threshold because it was
                fitted without contamination or by `partial_fit`.
            ValueError: as `score_samples`.
        """
        check_is_fitted(self)
        if not hasattr(self, "offset_"):
            raise NotFittedError(
                "there is no threshold: call fit on all training examples with contamination set"
            )
        return self.score_samples(X) - self.offset_

    @available_if(_has_contamination)
    def predict(self, X: Any) -> np.ndarray:
        """Classify examples as normal (1) or outliers (−1).

        Args:
            X: examples [examples, features].

        Returns:
            1 where `decision_function` is at least 0, else −1, [examples].

        Raises:
            NotFittedError: as `decision_function`.
            ValueError: as `decision_function`.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def _set_offset(self, x: np.ndarray | None) -> None:
        """Set the threshold from training examples; without them, remove that of an earlier fit."""
        if hasattr(self, "offset_"):
            del self.offset_
        if x is not None and self.contamination is not None:
            percent = 100 * check_contamination(self.contamination)
            self.offset_ = float(np.percentile(self.score_samples(x), percent))


def check_contamination(given: Any) -> float:
    """Convert a contamination; ValueError for anything else than a fraction in (0, 0.5]."""
    value = as_float("contamination", given)
    if not 0 < value <= 0.5:
        raise ValueError(f"contamination must be a fraction in (0, 0.5], or None, got {given!r}")
    return value
