"""Leading principal components of large data: exact if that is cheap, otherwise randomised."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from aejax.data.example_blocks import blocks
from aejax.theory.analysis.covariance import Scaler, covariance_pca, find_scaler
from aejax.theory.analysis.interruptible import interruptible
from aejax.theory.analysis.pca import PCA, orient_signs

MAX_EXACT_SIZE = 2048
"""Maximum min(examples, features) for which components are exact."""

OVERSAMPLING = 10
"""Number of directions beyond the requested components in the randomised method."""

MAX_PASSES = 30
"""Maximum number of passes over the data of the randomised method."""

LOSS_TOLERANCE = 1e-4
"""Relative decrease of the loss in one pass at which the randomised method stops."""

ROUNDING = 1e-14
"""Maximum decrease of the loss, relative to the total variance, that counts as rounding."""


class TruncatedPCA(NamedTuple):
    """Leading principal components in float64.

    analysis: mean, and the k leading eigenvalues and components.
    passes:   passes over the data of the randomised method; None if the components are exact.
    """

    analysis: PCA
    passes: int | None


def truncated_pca(x: Float[np.ndarray, "examples features"], components: int) -> TruncatedPCA:
    """Leading principal components of data that may be too large for a full PCA.

    If min(examples, features) ≤ 2048, they are the exact eigenvectors of the covariance, or of the
    Gram matrix if there are fewer examples than features. Otherwise they are computed by subspace
    iteration with a random start and Rayleigh–Ritz, until the relative decrease of the loss (the
    remaining variance) in a pass is below 10⁻⁴. The result is deterministic, and signals can
    interrupt the computation.

    Args:
        x: finite data, float32 or float64; converted to float64 block by block.
        components: number of components k, from 1 to min(examples, features).

    Returns:
        The `TruncatedPCA`.

    Raises:
        ValueError: if k is out of range, or squares of x overflow float64.

    Source: Golub & Van Loan 2013, §8.6; Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.3.
    """
    limit = min(x.shape)
    if not 1 <= components <= limit:
        raise ValueError(
            f"components must be from 1 to min(examples, features) = {limit}, got {components}"
        )
    if limit <= MAX_EXACT_SIZE:
        return TruncatedPCA(covariance_pca(x, dtype=np.float64, components=components), None)
    return _randomised(x, components)


def _randomised(x: np.ndarray, components: int) -> TruncatedPCA:
    scaler = find_scaler(x)
    width = min(components + OVERSAMPLING, *x.shape)
    basis = np.random.default_rng(0).normal(size=(x.shape[1], width))
    loss, passes = np.inf, 0
    while True:
        basis, _ = interruptible(np.linalg.qr, basis)
        product, shift, total = _second_moments_times(x, scaler, basis)
        ritz, rotation = interruptible(np.linalg.eigh, basis.T @ product)
        ritz, rotation = np.maximum(ritz[::-1], 0), rotation[:, ::-1]
        passes, previous = passes + 1, loss
        loss = total - ritz[:components].sum()
        threshold = max(LOSS_TOLERANCE * loss, ROUNDING * total)
        if previous - loss <= threshold or passes == MAX_PASSES:
            break
        basis = product
    analysis = PCA(
        scaler.mean + shift / scaler.scale,
        ritz[:components] / scaler.scale / scaler.scale,
        orient_signs((basis @ rotation[:, :components]).T),
    )
    return TruncatedPCA(analysis, passes)


def _second_moments_times(
    x: np.ndarray, scaler: Scaler, basis: Float64[np.ndarray, "features width"]
) -> tuple[np.ndarray, np.ndarray, float]:
    """S Q from one pass over the data, the correction of the mean, and tr S."""
    product, total, square = np.zeros(basis.shape), np.zeros(len(basis)), 0.0
    for _, block in blocks(x):
        rows = scaler.apply(block, np.float64)
        product += rows.T @ (rows @ basis)
        total += rows.sum(axis=0)
        square += float(np.vdot(rows, rows))
    shift = total / x.shape[0]
    product = product / x.shape[0] - np.outer(shift, shift @ basis)
    return product, shift, square / x.shape[0] - float(shift @ shift)
