"""Shapes of the parameters of an objective, and of its reconstructions."""

from typing import Any

import jax
import jax.numpy as jnp

from aejax.objectives import Objective, reconstruct
from aejax.types import Params


def params_like(objective: Objective) -> Params:
    """Shapes and dtypes of the parameters of an objective.

    Args:
        objective: the objective.

    Returns:
        The tree of parameters, abstractly, or as arrays if they cannot be traced.
    """
    try:
        return jax.eval_shape(objective.model.init, jax.random.key(0))
    except TypeError:
        return jax.tree.map(jnp.asarray, objective.model.init(jax.random.key(0)))


def output_shape(objective: Objective, params: Params, like: Any) -> tuple[int, ...]:
    """Shape of the reconstruction of one example.

    Args:
        objective: the objective.
        params: parameters of its model.
        like: shape and dtype of a batch of one example, `jax.ShapeDtypeStruct`.

    Returns:
        The shape, without the batch axis.
    """
    made = jax.eval_shape(lambda params, x: reconstruct(objective, params, x), params, like)
    return tuple(made.shape[1:])


def check_output_shape(objective: Objective, params: Params, like: Any) -> None:
    """Refuse an objective whose outputs cannot be compared with x element by element.

    Args:
        objective: the objective.
        params: parameters of its model.
        like: shape and dtype of a batch of one example, `jax.ShapeDtypeStruct`.

    Raises:
        ValueError: if its reconstructions have another shape than x.
    """
    found, expected = output_shape(objective, params, like), tuple(like.shape[1:])
    if found != expected:
        raise ValueError(
            f"the objective makes outputs of shape {list(found)} from examples of shape "
            f"{list(expected)}: they cannot be compared element by element, as the command must; "
            "use aejax.runs.train, encode and reconstruct in Python"
        )
