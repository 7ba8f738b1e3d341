"""L1 of the code of a crosscoder, weighted by the norms of its directions in each layer."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import as_integer, check_range
from aejax.penalties.code_selection import Select, selected_array
from aejax.types import Array, Params, Pass, Penalty


def layer_norms(params: Params, layers: int) -> Float[Array, "layers units"]:
    """Norm ‖W_d,l,i‖₂ of the direction of each unit i in each layer l.

    A unit whose norms differ much between layers, or between models that are compared, belongs to
    those where they are large.

    Args:
        params: parameters of a `crosscoder`.
        layers: number of its layers.

    Returns:
        The norms, with derivative 0 at a zero direction.

    Raises:
        ValueError: if the outputs cannot be divided into this number of layers.

    Source: Lindsey et al. 2024.
    """
    kernel = params["decoder"]["kernel"]
    units, outputs = kernel.shape
    if outputs % layers:
        raise ValueError(f"a code with {outputs} outputs cannot have {layers} layers of one width")
    squared = jnp.sum(jnp.square(kernel.reshape(units, layers, -1)), axis=2).T
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def l1_by_layer_norms(*, layers: int, select: Select = jax.nn.identity) -> Penalty:
    """L1 weighted by the sum of the norms in all layers: Σ_i |h_i| Σ_l ‖W_d,l,i‖₂.

    Unlike the norm of the whole direction, this sum favours units of few layers.

    Args:
        layers: number of layers of the `crosscoder`.
        select: code -> the array of the code's pytree that is penalised (default: the code).

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: if `layers` is not an integer of at least 1; from the penalty, as `layer_norms`.

    Example:
        >>> import aejax
        >>> objective = aejax.objective(
        ...     aejax.crosscoder(3, 16, 64), aejax.losses.squared,
        ...     penalties={"l1": (2.0, aejax.penalties.l1_by_layer_norms(layers=3))})

    Source: Lindsey et al. 2024.
    """
    layers = as_integer("l1_by_layer_norms's layers", layers)
    check_range("l1_by_layer_norms's layers", layers, 1, math.inf)

    def penalty(record: Pass) -> Array:
        code = selected_array(record.code, select)
        weights = jnp.sum(layer_norms(record.params, layers), axis=0)
        return jnp.sum(jnp.abs(code) * weights.astype(code.dtype), axis=1)

    return penalty
