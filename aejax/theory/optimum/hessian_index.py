"""Derivatives of an objective at stacked parameters, and counts of its Hessian's eigenvalues."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float64

from aejax.theory.checking.certificate import Evidence
from aejax.types import Array, Params


class LocalDerivatives(NamedTuple):
    """Value, gradient norm and Hessian eigenvalues of the loss at each of several points."""

    loss: Float64[np.ndarray, " points"]
    gradient: Float64[np.ndarray, " points"]
    curvatures: Float64[np.ndarray, "points parameters"]


def derivatives_at(
    loss: Callable[[Params, Any], Array], points: Params, data: Any
) -> LocalDerivatives:
    """Value, gradient norm and Hessian eigenvalues of loss(params, data), in float64.

    Args:
        loss: function (params, data) -> scalar; compiled once for each function object and shape
            of data.
        points: parameters, stacked along a leading axis.
        data: pytree of arrays.

    Returns:
        The `LocalDerivatives`, with eigenvalues in ascending order.
    """
    with jax.enable_x64(True):
        points, data = jax.tree.map(jnp.asarray, (points, data))
        value, gradient, hessian = _derivatives(loss, points, data)
    curvatures = np.linalg.eigvalsh(np.asarray(hessian))
    return LocalDerivatives(np.asarray(value), np.asarray(gradient), curvatures)


def index_evidence(
    curvatures: Float64[np.ndarray, "points parameters"], counts: Sequence[tuple[int, int]]
) -> Evidence:
    """Largest violation of the predicted signs, and smallest curvature predicted to be nonzero.

    Args:
        curvatures: eigenvalues of the Hessian at each point, in ascending order.
        counts: predicted numbers of negative and of zero eigenvalues at each point.

    Returns:
        The `Evidence`; an index that is wrong by one would count the control as zero.
    """
    violations, curved = [], []
    for (negative, flat), ascending in zip(counts, curvatures, strict=True):
        below, above = ascending[:negative], ascending[negative + flat :]
        violations += [*np.abs(ascending[negative : negative + flat]), *below, *-above]
        curved += [*np.abs(below), *np.abs(above)]
    return Evidence(float(max(0.0, *violations)), float(min(curved)))


@partial(jax.jit, static_argnames="loss")
def _derivatives(
    loss: Callable[[Params, Any], Array], points: Params, data: Any
) -> tuple[Array, Array, Array]:
    def at(params: Params) -> tuple[Array, Array, Array]:
        flat, unravel = ravel_pytree(params)

        def of_flat(flat: Array) -> Array:
            return loss(unravel(flat), data)

        def row(direction: Array) -> Array:
            return jax.jvp(jax.grad(of_flat), (flat,), (direction,))[1]

        hessian = jax.lax.map(row, jnp.eye(flat.size, dtype=flat.dtype))
        return of_flat(flat), jnp.linalg.norm(jax.grad(of_flat)(flat)), hessian

    # One after another: jaxlib 0.10.2 divides a batch of triangular systems among the threads of
    # the pool that it runs on, and two batches at once wait for each other forever.
    return jax.lax.map(at, points)
