"""PCA with as many components as code units, fitted to the train examples of a run."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:  # the theorems are slow to import
    from aejax.theory.analysis.pca import PCA

MAX_ENTRIES = 2**26
"""Maximum number of values of the train examples to which a report fits PCA, within a minute."""


class PCABaseline(NamedTuple):
    """PCA that the reconstructions of a run are compared with.

    analysis: the components.
    method:   "exact", or "randomised, N passes" for large data (see `truncated_pca`).
    """

    analysis: "PCA"
    method: str


def fit_pca_baseline(
    x_train: Float[np.ndarray, "examples features"], units: int
) -> PCABaseline | None:
    """Fit PCA to train examples.

    Args:
        x_train: flat normalised examples.
        units: number of code units.

    Returns:
        The baseline; None if it would reconstruct the train examples exactly.
    """
    if units >= min(x_train.shape):
        return None
    from aejax.theory.analysis.truncated_pca import truncated_pca  # SciPy is slow to import

    analysis, passes = truncated_pca(x_train, units)
    return PCABaseline(analysis, "exact" if passes is None else f"randomised, {passes} passes")


def project(
    analysis: "PCA", x: Float[np.ndarray, "examples features"]
) -> Float[np.ndarray, "examples features"]:
    """Reconstruct examples from their principal components.

    Args:
        analysis: the components.
        x: flat normalised examples.

    Returns:
        The reconstructions, float64.
    """
    return analysis.mean + (x - analysis.mean) @ analysis.components.T @ analysis.components


def report_baseline(
    x_train: Float[np.ndarray, "examples *features"] | None, units: int
) -> PCABaseline | str:
    """Fit PCA to train examples for a report, if that takes no longer than a minute.

    Args:
        x_train: normalised examples, or None if they are not loaded.
        units: number of code units.

    Returns:
        The baseline, or the reason why there is none.
    """
    if x_train is None:
        return "the train examples, to which it is fitted, are not loaded"
    if x_train.size > MAX_ENTRIES:
        return f"the train examples have {x_train.size} values, more than {MAX_ENTRIES}"
    baseline = fit_pca_baseline(x_train.reshape(len(x_train), -1), units)
    return baseline or f"{units} components would reconstruct all train examples"
