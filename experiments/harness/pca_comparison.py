"""Comparison of a linear autoencoder with PCA, and errors of PCA by the number of components."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from sklearn import decomposition

import aejax
from aejax.theory.analysis.pca import PCA, leading_components, least_loss
from aejax.types import Array, Params
from experiments.harness.training import Measure, mean_squared_error


def compare_with_pca(
    objective: aejax.Objective, components: Array, least: float, params: Params, x: Array
) -> dict[str, Array]:
    """Loss gap relative to PCA's loss `least`, largest principal angle, mean of the largest |cos|.

    The cosines are between the decoder's kernel of a unit and each principal component.
    """
    loss = mean_squared_error(objective, params, x)
    kernel = params["decoder"]["layer_0"]["kernel"]
    basis, _ = jnp.linalg.qr(kernel.T)
    outside = basis - components.T @ (components @ basis)
    sine = jnp.linalg.norm(outside, ord=2)
    cosines = components @ (kernel / jnp.linalg.norm(kernel, axis=1, keepdims=True)).T
    return {
        "gap": (loss - least) / least,
        "angle": jnp.arcsin(jnp.minimum(sine, 1)),
        "aligned": jnp.mean(jnp.max(jnp.abs(cosines), axis=0)),
    }


def examples_with_the_same_loss(analysis: PCA) -> np.ndarray:
    """Few examples on which every linear autoencoder has the loss that it has on the data.

    The squared error of an affine map depends on the data only through their mean and covariance,
    which are also those of the 2r points x̄ ± √(r λ_i) v_i, for r positive eigenvalues.

    Args:
        analysis: principal components of the data.

    Returns:
        The examples [2r, features], float64.
    """
    positive = analysis.eigenvalues > 1e-12 * analysis.eigenvalues[0]
    lengths = np.sqrt(positive.sum() * analysis.eigenvalues[positive])
    deviations = lengths[:, None] * analysis.components[positive]
    return np.concatenate([analysis.mean + deviations, analysis.mean - deviations])


def measure_against_pca(
    objective: aejax.Objective, analysis: PCA, code: int, dtype: DTypeLike
) -> Measure:
    """Make a `Measure` by `compare_with_pca` on the loss of all training examples.

    Args:
        objective: objective of the linear autoencoder.
        analysis: principal components of the training examples.
        code: number of code units.
        dtype: dtype of the computation.

    Returns:
        (params, any examples) -> "gap", "angle" in degrees and "aligned".
    """
    compare = partial(
        compare_with_pca,
        objective,
        jnp.asarray(leading_components(analysis, code), dtype),
        least_loss(analysis, code),
    )
    examples = jnp.asarray(examples_with_the_same_loss(analysis), dtype)

    def measure(params: Params, _: Array) -> dict[str, Array]:
        found = compare(params, examples)
        return found | {"angle": jnp.rad2deg(found["angle"])}

    return measure


def pca_errors(pca: decomposition.PCA, x: np.ndarray) -> np.ndarray:
    """Mean of Σ (x̂ − x)² for 0, 1, … up to all components of a fitted PCA."""
    explained = np.square((x - pca.mean_) @ pca.components_.T).mean(axis=0)
    total = np.square(x - pca.mean_).sum(axis=1).mean()
    return total - np.concatenate([[0], np.cumsum(explained)])
