"""Gradient descent from a saddle of the linear autoencoder to the minimum, and its losses."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float64

from aejax.theory.optimum.landscape import Landscape
from aejax.theory.solvers.linear_solvers import squared_error_of_factor
from aejax.theory.trajectories.solver_paths import descend

OFFSETS = np.linspace(-1.25, 1.25, 101)
"""Distances from the saddle at which the loss is evaluated."""

START_DISTANCE, STEP_SIZE, NUM_STEPS = 1e-3, 0.1, 400
"""Distance of the start from the saddle, step size for λ_1 = 1, and number of steps."""


class Escape(NamedTuple):
    """Losses near a saddle and along the descent from it.

    slice_losses: losses at `OFFSETS` along the direction of minimum curvature.
    curvature:    minimum curvature, an eigenvalue of the Hessian.
    path_losses:  losses of gradient descent from a point near the saddle, per step.
    levels:       losses of the saddle and of the minimum, Σ λ_i over i outside their subset I.
    """

    slice_losses: Float64[np.ndarray, " offsets"]
    curvature: float
    path_losses: Float64[np.ndarray, " steps"]
    levels: tuple[float, float]


def escape(case: Landscape) -> Escape:
    """Descend from the saddle of the subset I = {2, …, k + 1} of eigenvectors to the minimum.

    The minimum curvature is 1 + λ − √((1 − λ)² + 4) with λ = λ_{k+1} and λ_1 = 1. Its direction
    rotates the unit of v_{k+1} into v_1; descent along it reaches the minimum.

    Args:
        case: landscape with distinct eigenvalues, as from `landscape.enumerated_landscape`.

    Returns:
        The `Escape`.

    Source: the Hessian of `aejax.theory.optimum.landscape.landscape_index`.
    """
    rows = case.components[1 : case.code + 1]
    with jax.enable_x64(True):
        factor = jnp.asarray(case.factor)
        saddle, unravel = ravel_pytree(
            {
                "encoder": {"layer_0": {"kernel": jnp.asarray(rows.T)}},
                "decoder": {"layer_0": {"kernel": jnp.asarray(rows)}},
            }
        )

        def loss(flat: jax.Array) -> jax.Array:
            return squared_error_of_factor(unravel(flat), factor)

        curvatures, directions = jnp.linalg.eigh(jax.hessian(loss)(saddle))
        direction = directions[:, 0]
        along = jax.vmap(loss)(saddle + jnp.asarray(OFFSETS)[:, None] * direction)
        beside = unravel(saddle + START_DISTANCE * direction)
        _, path = descend(
            beside, factor, squared_error_of_factor, factor, step=STEP_SIZE, steps=NUM_STEPS
        )
    minimum = case.eigenvalues[case.code :].sum()
    at_saddle = minimum - case.eigenvalues[case.code] + case.eigenvalues[0]
    levels = (float(at_saddle), float(minimum))
    return Escape(np.asarray(along), float(curvatures[0]), np.asarray(path), levels)
