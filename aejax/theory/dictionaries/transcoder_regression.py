"""Reduced-rank regression of the second half of the features on the first."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from aejax.theory.checking.problem import Problem
from aejax.theory.checking.tolerances import unit_factor
from aejax.theory.noise.expectations import Kernels

MIN_DEVIATION = 1e-3
"""Least standard deviation of a transcoder's inputs, as a fraction of the largest."""


class Halves(NamedTuple):
    """The first half of the features as inputs of a transcoder, and the others as its targets.

    x:      scores of the principal components of the inputs [rows, inputs]; zero if the standard
            deviation is less than `MIN_DEVIATION` of the largest.
    target: the targets [rows, outputs].
    """

    x: Float64[np.ndarray, "rows inputs"]
    target: Float64[np.ndarray, "rows outputs"]


class Regression(NamedTuple):
    """Reduced-rank regression of the targets on the inputs.

    kernels:         W_e and W_d of k units.
    singular_values: σ_i of the least squares fit P_X Y.
    unexplained:     ‖Y − P_X Y‖².
    """

    kernels: Kernels
    singular_values: Float64[np.ndarray, " units"]
    unexplained: float


def halves(problem: Problem) -> Halves:
    """Inputs and targets of the transcoder, for Σλ = 1."""
    factor = unit_factor(problem)
    first = -(-factor.shape[1] // 2)
    left, deviations, _ = np.linalg.svd(factor[:, :first], full_matrices=False)
    used = np.where(deviations >= MIN_DEVIATION * deviations[0], deviations, 0)
    return Halves(left * used, factor[:, first:])


def reduced_rank_regression(case: Halves, code: int) -> Regression:
    """Best linear map of rank k from x to the target.

    Args:
        case: orthogonal inputs and targets.
        code: k.

    Returns:
        The `Regression`; kernels of units beyond the rank of the fit are zero.

    Source: Izenman 1975.
    """
    deviations = np.linalg.norm(case.x, axis=0)
    inverses = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    basis = case.x * inverses
    fit = basis.T @ case.target
    left, singular_values, right = np.linalg.svd(fit, full_matrices=False)
    unused = max(code - len(singular_values), 0)
    encoder = np.pad(left[:, :code] * inverses[:, None], ((0, 0), (0, unused)))
    decoder = np.pad(singular_values[:code, None] * right[:code], ((0, unused), (0, 0)))
    unexplained = float(np.sum(np.square(case.target - basis @ fit)))
    return Regression(Kernels(encoder, decoder), singular_values, unexplained)


def regression_loss(found: Regression, code: int) -> float:
    """‖Y − P_X Y‖² + Σ_{i>k} σ_i².

    Source: Izenman 1975.
    """
    return found.unexplained + float(np.sum(np.square(found.singular_values[code:])))
