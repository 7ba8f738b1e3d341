"""Constraints on parameters: projections that follow each update of an optimizer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aejax.contracts import check_callable
from aejax.hyperparameters import as_integer
from aejax.types import Array, Params

Select = Callable[[Params], Any]
"""params -> the constrained arrays, as a tree; it must work on a tree of any leaves."""


class Constraint(NamedTuple):
    """A set of parameters, given by two projections.

    project: params -> the nearest params in the set.
    tangent: (params, gradient) -> the gradient without the part that leaves the set.
    """

    project: Callable[[Params], Params]
    tangent: Callable[[Params, Params], Params]


def unit_norm(*, select: Select, axis: int = -1) -> Constraint:
    """Constraint of vectors w along one axis to ‖w‖₂ = 1: w / ‖w‖₂, gradient g − (g·w) w.

    Args:
        select: params -> the constrained arrays.
        axis: axis of the vectors; the rows [units, features] of a decoder have axis −1.

    Returns:
        The `Constraint`. A zero vector stays zero.

    Raises:
        ValueError: if `select` is not a function or the axis is not an integer.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.training import unit_norm
        >>> constraint = unit_norm(select=lambda params: params["kernel"])
        >>> constraint.project({"kernel": jnp.array([[3.0, 4.0]])})["kernel"].tolist()
        [[0.6000000238418579, 0.800000011920929]]

    Source: Bricken et al. 2023 (decoder of a sparse dictionary).
    """
    check_callable("select of unit_norm", select, "params")
    axis = as_integer("unit_norm's axis", axis)

    def normalise(vectors: Array) -> Array:
        norm = jnp.linalg.norm(vectors, axis=axis, keepdims=True)
        return vectors / jnp.where(norm > 0, norm, 1)

    def remove_parallel(vectors: Array, gradient: Array) -> Array:
        along = jnp.sum(gradient * vectors, axis=axis, keepdims=True)
        return gradient - along * vectors

    return Constraint(
        lambda params: _map_selected(select, normalise, params, params),
        lambda params, gradient: _map_selected(select, remove_parallel, gradient, params, gradient),
    )


def non_negative(*, select: Select) -> Constraint:
    """Constraint of every element to w ≥ 0: max(w, 0), with the gradient unchanged.

    Args:
        select: params -> the constrained arrays.

    Returns:
        The `Constraint`.

    Raises:
        ValueError: if `select` is not a function.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.training import non_negative
        >>> constraint = non_negative(select=lambda params: params["threshold"])
        >>> constraint.project({"threshold": jnp.array([-1.0, 2.0])})["threshold"].tolist()
        [0.0, 2.0]
    """
    check_callable("select of non_negative", select, "params")
    return Constraint(
        lambda params: _map_selected(select, lambda w: jnp.maximum(w, 0), params, params),
        lambda _, gradient: gradient,
    )


def constrained(
    optimizer: optax.GradientTransformation, *constraints: Constraint
) -> optax.GradientTransformationExtraArgs:
    """Restrict an optimizer to constraints: project its gradient, then the updated parameters.

    The constraints are applied in order. The parameters after an update equal their projection up
    to rounding; the initial parameters should satisfy the constraints.

    Args:
        optimizer: optax gradient transformation.
        constraints: constraints on the parameters.

    Returns:
        The constrained optimizer, with the state of the given one.

    Raises:
        ValueError: from the update, without parameters, or if a constraint selects no array.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from aejax.training import constrained, unit_norm
        >>> rows = unit_norm(select=lambda params: params["kernel"])
        >>> optimizer = constrained(optax.sgd(0.1), rows)
        >>> params = {"kernel": jnp.array([[1.0, 0.0]])}
        >>> updates, _ = optimizer.update(
        ...     {"kernel": jnp.array([[5.0, 1.0]])}, optimizer.init(params), params)
        >>> kernel = optax.apply_updates(params, updates)["kernel"]
        >>> bool(jnp.allclose(kernel, jnp.array([[0.9950372, -0.0995037]])))
        True
    """
    inner = optax.with_extra_args_support(optimizer)

    def update(
        updates: Params, state: optax.OptState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, optax.OptState]:
        if params is None:
            raise ValueError("a constrained optimizer needs the parameters: update(…, params)")
        for constraint in constraints:
            updates = constraint.tangent(params, updates)
        updates, state = inner.update(updates, state, params, **extra)
        updated = optax.apply_updates(params, updates)
        for constraint in constraints:
            updated = constraint.project(updated)
        return jax.tree.map(jnp.subtract, updated, params), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _map_selected(
    select: Select, function: Callable[..., Array], otherwise: Params, *trees: Params
) -> Params:
    """Apply a function to the selected leaves of trees, and take the others from `otherwise`."""
    leaves, structure = jax.tree.flatten(otherwise)
    selected = set(jax.tree.leaves(select(structure.unflatten(range(len(leaves))))))
    if not selected:
        raise ValueError("select returned no arrays; it must return the constrained ones")
    columns = zip(*map(jax.tree.leaves, trees), strict=True)
    return structure.unflatten(
        function(*column) if index in selected else leaf
        for index, (leaf, column) in enumerate(zip(leaves, columns, strict=True))
    )
