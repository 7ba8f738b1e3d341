"""Singular values and vectors of an encoder's Jacobian, and its directions along the data."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from aejax.types import Array, Autoencoder, Params
from experiments.harness.training import jacobian_svd


def measure_jacobians(
    model: Autoencoder, params: Params, points: Array, differences: Array, tangents: int
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Measure the encoder's Jacobian ∂h/∂x, with singular values σ, at every point.

    Args:
        model: autoencoder of rows.
        params: its parameters.
        points: examples [points, features].
        differences: from each point to its neighbours, [points, neighbours, features].
        tangents: number of leading singular vectors that are compared with the differences.

    Returns:
        Means over points of "large", the number of singular values above 1, along whose directions
        the encoder expands; "ninety", the least number of directions with 90 % of Σ σ²;
        "participation", (Σ σ²)²/Σ σ⁴; "sensitivity", Σ σ²; and "tangent", the share of the squared
        differences in the span of the leading singular vectors. Then the mean singular values
        [units], and the leading vectors [points, tangents, features].
    """
    values, directions = _jacobian_svds(model, params, points)
    energy = jnp.square(values)
    leading = directions[:, :tangents]
    projected = jnp.einsum("pni,pti->pnt", differences, leading)
    before = jnp.cumsum(energy, axis=1) - energy
    measured = {
        "large": jnp.mean(jnp.sum(values > 1, axis=1)),
        "ninety": jnp.mean(jnp.sum(before < 0.9 * jnp.sum(energy, 1, keepdims=True), axis=1)),
        "participation": jnp.mean(jnp.sum(energy, 1) ** 2 / jnp.sum(energy**2, 1)),
        "sensitivity": jnp.mean(jnp.sum(energy, 1)),
        "tangent": jnp.sum(jnp.square(projected)) / jnp.sum(jnp.square(differences)),
    }
    means = {name: float(value) for name, value in measured.items()}
    return means, np.mean(values, axis=0), np.asarray(leading)


@partial(jax.jit, static_argnums=0)
def _jacobian_svds(model: Autoencoder, params: Params, points: Array) -> tuple[Array, Array]:
    return jax.vmap(partial(jacobian_svd, model, params))(points)
