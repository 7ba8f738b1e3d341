"""Activations of a dictionary: plain functions of the pre-activations, or with parameters."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from aejax.contracts import check_callable
from aejax.hyperparameters import as_integer
from aejax.layers.activations import top_k
from aejax.types import Array, Params


class CodeActivation(NamedTuple):
    """An activation with parameters, which are stored beside kernel and bias of the encoder.

    init:  (units, dtype) -> its parameters by name, each [units].
    apply: (parameters of the encoder, pre-activations z [batch, units]) -> code [batch, units].
    """

    init: Callable[[int, DTypeLike], Params]
    apply: Callable[[Params, Array], Array]


def as_code_activation(activation: Any) -> CodeActivation:
    """Convert an activation to a `CodeActivation`.

    Args:
        activation: a `CodeActivation`, or a function z -> code without parameters.

    Returns:
        The `CodeActivation`.

    Raises:
        ValueError: if it is neither, for example a factory instead of its result.
    """
    if isinstance(activation, CodeActivation):
        return activation
    check_callable("activation of a dictionary", activation, "z")
    return CodeActivation(lambda *_: {}, lambda _, z: activation(z))


def top_k_relu(*, k: int | Array, at_most: int | None = None) -> Callable[[Array], Array]:
    """TopK of a dictionary: h_l = max(z_l, 0) if z_l is among the k largest of z, else 0.

    Args:
        k: maximum number of active units of an example, a scalar from 1 to the number of units.
        at_most: maximum of a k that is traced, as of `top_k`.

    Returns:
        The activation, along the last axis.

    Raises:
        ValueError: as `top_k`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.code_activations import top_k_relu
        >>> top_k_relu(k=2)(jnp.array([[0.5, -1.0, -2.0]])).tolist()
        [[0.5, 0.0, 0.0]]

    Source: Gao et al. 2024
    """
    select = top_k(k=k, at_most=at_most)
    return lambda z: select(jax.nn.relu(z))


def absolute_top_k(*, k: int | Array, at_most: int | None = None) -> Callable[[Array], Array]:
    """TopK by magnitude: h_l = z_l if |z_l| is among the k largest of |z|, else 0.

    Units keep their sign, so that one direction explains deviations to both sides.

    Args:
        k: number of active units of an example, a scalar from 1 to the number of units.
        at_most: maximum of a k that is traced, as of `top_k`.

    Returns:
        The activation, along the last axis.

    Raises:
        ValueError: as `top_k`.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.code_activations import absolute_top_k
        >>> absolute_top_k(k=1)(jnp.array([[0.5, -1.0, 0.2]])).tolist()
        [[0.0, -1.0, 0.0]]

    Source: Zhu et al. 2025.
    """
    select = top_k(k=k, at_most=at_most)
    return lambda z: jnp.where(select(jnp.abs(z)) == 0, jnp.zeros_like(z), z)


def group_max(*, k: int) -> Callable[[Array], Array]:
    """Largest positive unit of each of k groups of neighbouring units; the others are 0.

    Args:
        k: number of groups, a divisor of the number of units.

    Returns:
        The activation, along the last axis. Of equal units of a group the first is selected.

    Raises:
        ValueError: if k is not an integer or below 1; from the activation, if k does not divide the
            number of units.

    Example:
        >>> import jax.numpy as jnp
        >>> from aejax.layers.code_activations import group_max
        >>> group_max(k=2)(jnp.array([[0.5, 1.0, -2.0, 0.1]])).tolist()
        [[0.0, 1.0, 0.0, 0.10000000149011612]]

    Source: Belrose 2024.
    """
    k = as_integer("group_max's k", k)
    select = top_k(k=1)
    if k < 1:
        raise ValueError(f"group_max needs k of at least 1, got k = {k}")

    def activation(z: Array) -> Array:
        if z.shape[-1] % k:
            raise ValueError(f"group_max cannot divide {z.shape[-1]} units into {k} groups")
        groups = jax.nn.relu(z).reshape(*z.shape[:-1], k, -1)
        return select(groups).reshape(z.shape)

    return activation
