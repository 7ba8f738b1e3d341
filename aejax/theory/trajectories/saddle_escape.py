"""A saddle of the linear autoencoder: the way the loss falls from it, and a descent that leaves."""

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
"""Distances from the saddle at which the loss is taken."""

BESIDE, STEP, STEPS = 1e-3, 0.1, 400
"""Distance at which the descent starts, its step for λ_1 = 1, and how many there are."""


class Escape(NamedTuple):
    """What is seen from a saddle.

    slice_losses: at `OFFSETS` along the direction of least curvature.
    curvature:    that curvature, an eigenvalue of the Hessian.
    path_losses:  of gradient descent from a thousandth beside the saddle, step by step.
    levels:       the loss of the saddle, and the least, by the formula Σ_{i∉I} λ_i.
    """

    slice_losses: Float64[np.ndarray, " offsets"]
    curvature: float
    path_losses: Float64[np.ndarray, " steps"]
    levels: tuple[float, float]


def escape(case: Landscape) -> Escape:
    """The saddle where the first eigenvector gave its place to the (k + 1)-th, and the way out.

    There I = {2, …, k + 1}. The least curvature, 1 + λ − √((1 − λ)² + 4) with λ = λ_{k+1} and
    λ_1 = 1, belongs to the unit of that eigenvector and the direction of the first: descent turns
    the one into the other, and ends at the minimum.

    Args:
        case: a landscape of distinct eigenvalues, see `aejax.theory.optimum.landscape.enumerable`.

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
        way = directions[:, 0]
        along = jax.vmap(loss)(saddle + jnp.asarray(OFFSETS)[:, None] * way)
        beside = unravel(saddle + BESIDE * way)
        _, path = descend(beside, factor, squared_error_of_factor, factor, step=STEP, steps=STEPS)
    left = case.eigenvalues[case.code :].sum()
    swapped = left - case.eigenvalues[case.code] + case.eigenvalues[0]
    levels = (float(swapped), float(left))
    return Escape(np.asarray(along), float(curvatures[0]), np.asarray(path), levels)
