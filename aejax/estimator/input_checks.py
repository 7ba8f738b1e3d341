"""Validation of examples and codes, following scikit-learn's conventions."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

DTYPES: Any = [np.float64, np.float32]
"""Dtypes that are preserved; other dtypes are converted to the first."""


def check_training_examples(
    estimator: BaseEstimator, x: Any, *, resumed: bool, dtype: Any = DTYPES, at_least: int = 1
) -> np.ndarray:
    """Validate training examples, and record or compare the number and names of features.

    Args:
        estimator: estimator to fit.
        x: examples [examples, features], dense and finite.
        resumed: whether features must match those of the previous fit.
        dtype: dtype of the result (default: float32 and float64 are preserved).
        at_least: minimum number of examples.

    Returns:
        The array.

    Raises:
        ValueError: if the rank, the number of examples or the features are wrong, or values are
            masked or not finite.
        TypeError: if the matrix is sparse.
    """
    _refuse_masked(x)
    found: Any = validate_data(
        estimator, x, dtype=dtype, reset=not resumed, ensure_min_samples=at_least
    )
    return found


def check_examples(estimator: BaseEstimator, x: Any) -> np.ndarray:
    """Validate examples for a fitted estimator.

    Args:
        estimator: fitted estimator.
        x: examples [examples, features].

    Returns:
        The array, float32 or float64.

    Raises:
        NotFittedError: if the estimator is not fitted.
        ValueError: as `check_training_examples`.
        TypeError: as `check_training_examples`.
    """
    check_is_fitted(estimator)
    _refuse_masked(x)
    found: Any = validate_data(estimator, x, dtype=DTYPES, reset=False)
    return found


def check_codes(estimator: Any, code: Any) -> np.ndarray:
    """Validate codes for a fitted estimator.

    Args:
        estimator: fitted estimator.
        code: codes [examples, k].

    Returns:
        The array, float32 or float64.

    Raises:
        NotFittedError: if the estimator is not fitted.
        ValueError: if the shape is wrong, or values are not finite.
        TypeError: if the matrix is sparse.
    """
    check_is_fitted(estimator)
    _refuse_masked(code)
    found: Any = check_array(code, dtype=DTYPES)
    width = len(estimator.get_feature_names_out())
    if found.shape[1] != width:
        raise ValueError(f"codes must be [examples, {width}], got shape {list(found.shape)}")
    return found


def _refuse_masked(x: Any) -> None:
    """Refuse masked values, which scikit-learn would use as data."""
    if np.ma.isMaskedArray(x) and np.ma.getmaskarray(x).any():
        raise ValueError("X has masked values; fill them (X.filled) or drop their rows")
