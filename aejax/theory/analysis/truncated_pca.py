"""Leading principal components of data of any size: exact while that is cheap, else randomised."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from aejax.data.example_blocks import blocks
from aejax.theory.analysis.covariance import Normaliser, covariance_pca, find_normaliser
from aejax.theory.analysis.interruptible import interruptible
from aejax.theory.analysis.pca import PCA, orient_signs

MAX_EXACT_SIZE = 2048
"""Examples or features, whichever are fewer, up to which eigenvectors are computed exactly."""

OVERSAMPLING = 10
"""Directions that the randomised method iterates beyond those that are asked for."""

MAX_PASSES = 30
"""Passes over the data after which the randomised method stops."""

LOSS_TOLERANCE = 1e-4
"""Relative decrease of the loss in one pass below which the randomised method stops."""

ROUNDING = 1e-14
"""Share of the variance below which a decrease of the loss is rounding."""


class TruncatedPCA(NamedTuple):
    """Leading principal components, float64.

    analysis: mean, and the k leading eigenvalues and components.
    passes:   of the randomised method over the data; None where the components are exact.
    """

    analysis: PCA
    passes: int | None


def truncated_pca(x: Float[np.ndarray, "examples features"], components: int) -> TruncatedPCA:
    """The leading principal components, in time and memory that large data allow.

    Where min(examples, features) is at most 2048, they are exact: the eigenvectors of the
    covariance, or of the Gram matrix where examples are fewer. Otherwise they come from subspace
    iteration with a random start and Rayleigh–Ritz, until a pass decreases the loss (the variance
    left out) by less than 10⁻⁴ of itself. The result is the same at every call, and a signal
    interrupts it at any time.

    Args:
        x: float32 or float64, finite; converted to float64 block by block.
        components: k from 1 to min(examples, features).

    Returns:
        The `TruncatedPCA`.

    Raises:
        ValueError: for k out of its range, and for numbers whose squares overflow float64.

    Source: Golub & Van Loan 2013, §8.6; Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.3.
    """
    most = min(x.shape)
    if not 1 <= components <= most:
        raise ValueError(
            f"components must lie between 1 and min(examples, features) = {most}, got {components}"
        )
    if most <= MAX_EXACT_SIZE:
        return TruncatedPCA(covariance_pca(x, dtype=np.float64, components=components), None)
    return _randomised(x, components)


def _randomised(x: np.ndarray, components: int) -> TruncatedPCA:
    origin = find_normaliser(x)
    width = min(components + OVERSAMPLING, *x.shape)
    basis = np.random.default_rng(0).normal(size=(x.shape[1], width))
    loss, passes = np.inf, 0
    while True:
        basis, _ = interruptible(np.linalg.qr, basis)
        product, shift, total = _second_moments_times(x, origin, basis)
        ritz, turn = interruptible(np.linalg.eigh, basis.T @ product)
        ritz, turn = np.maximum(ritz[::-1], 0), turn[:, ::-1]
        passes, before = passes + 1, loss
        loss = total - ritz[:components].sum()
        least = max(LOSS_TOLERANCE * loss, ROUNDING * total)
        if before - loss <= least or passes == MAX_PASSES:
            break
        basis = product
    analysis = PCA(
        origin.mean + shift / origin.scale,
        ritz[:components] / origin.scale / origin.scale,
        orient_signs((basis @ turn[:, :components]).T),
    )
    return TruncatedPCA(analysis, passes)


def _second_moments_times(
    x: np.ndarray, origin: Normaliser, basis: Float64[np.ndarray, "features width"]
) -> tuple[np.ndarray, np.ndarray, float]:
    """S Q by one pass over the data, what the origin missed of the mean, and tr S."""
    product, total, square = np.zeros(basis.shape), np.zeros(len(basis)), 0.0
    for _, block in blocks(x):
        rows = origin.map(block, np.float64)
        product += rows.T @ (rows @ basis)
        total += rows.sum(axis=0)
        square += float(np.vdot(rows, rows))
    shift = total / x.shape[0]
    product = product / x.shape[0] - np.outer(shift, shift @ basis)
    return product, shift, square / x.shape[0] - float(shift @ shift)
