"""What the estimators take for examples and codes, in scikit-learn's words."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

DTYPES: Any = [np.float64, np.float32]  # kept; anything else becomes the first


def check_training_examples(
    estimator: BaseEstimator, x: Any, *, resumed: bool, dtype: Any = DTYPES, at_least: int = 1
) -> np.ndarray:
    """Examples to be fitted; their width and names are remembered, or held to those before.

    Args:
        estimator: whose they are.
        x: [examples, features], dense, finite.
        resumed: hold them to the features of the fit before.
        dtype: of the result; float32 and float64 are kept unless given.
        at_least: how many there must be.

    Returns:
        The array.

    Raises:
        ValueError: for another rank, no examples, values that are masked or not finite, other
            features.
        TypeError: for a sparse matrix.
    """
    _refuse_masked(x)
    found: Any = validate_data(
        estimator, x, dtype=dtype, reset=not resumed, ensure_min_samples=at_least
    )
    return found


def check_examples(estimator: BaseEstimator, x: Any) -> np.ndarray:
    """Examples for a fitted estimator.

    Args:
        estimator: fitted.
        x: [examples, features].

    Returns:
        The array, float32 or float64.

    Raises:
        NotFittedError: before `fit`.
        ValueError: as `check_training_examples`.
        TypeError: as `check_training_examples`.
    """
    check_is_fitted(estimator)
    _refuse_masked(x)
    found: Any = validate_data(estimator, x, dtype=DTYPES, reset=False)
    return found


def check_codes(estimator: Any, code: Any) -> np.ndarray:
    """Codes for a fitted estimator.

    Args:
        estimator: fitted.
        code: [examples, k].

    Returns:
        The array, float32 or float64.

    Raises:
        NotFittedError: before `fit`.
        ValueError: for another width or rank, or values that are not finite.
        TypeError: for a sparse matrix.
    """
    check_is_fitted(estimator)
    _refuse_masked(code)
    found: Any = check_array(code, dtype=DTYPES)
    width = len(estimator.get_feature_names_out())
    if found.shape[1] != width:
        raise ValueError(f"codes must be [examples, {width}], got shape {list(found.shape)}")
    return found


def _refuse_masked(x: Any) -> None:
    """scikit-learn would take what lies behind a mask for values."""
    if np.ma.isMaskedArray(x) and np.ma.getmaskarray(x).any():
        raise ValueError("X has masked values; fill them (X.filled) or drop their rows")
