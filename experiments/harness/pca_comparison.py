"""Comparison of a linear autoencoder with PCA."""

import jax.numpy as jnp

import aejax
from aejax.types import Array, Params
from experiments.harness.training import mean_squared_error


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
