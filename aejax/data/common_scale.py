"""Normalisation by the mean of each feature and one scale for all of them."""

import numpy as np

from aejax.data.dtypes import Tabular
from aejax.data.feature_statistics import as_source, mean_and_deviation
from aejax.data.lazy_array import LazyArray
from aejax.data.normalisation import Normalisation


def common_scale(x: Tabular | LazyArray) -> Normalisation:
    """Normalisation to mean 0 and mean square 1 over features: r = (x − mean) / s.

    s² is the mean over features of their variances, so that the mean of ‖r‖² is the number of
    features. Unlike `standardise`, it keeps the directions and relative lengths of x − mean: it is
    the usual normalisation of the activations that sparse dictionaries are trained on.

    Args:
        x: training data [m, *features]: an array, a `LazyArray`, lists or a DataFrame.

    Returns:
        The `Normalisation`, with shift [*features] and a scalar scale, 1 if x is constant.

    Raises:
        ValueError: as `standardise`.

    Example:
        >>> import numpy as np
        >>> from aejax import data
        >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> round(float(np.square(data.normalise(data.common_scale(x), x)).sum(axis=1).mean()), 6)
        2.0

    Source: Conerly et al. 2024.
    """
    mean, deviation = mean_and_deviation(as_source(x))
    largest = np.max(deviation)
    if largest == 0:
        return Normalisation(mean, np.ones(()))
    # Relative to the largest, whose square might overflow.
    return Normalisation(mean, largest * np.sqrt(np.mean(np.square(deviation / largest))))
