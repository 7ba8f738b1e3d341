"""Higher-order contractive penalty: the change of the encoder's Jacobian around x."""

import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aejax.hyperparameters import check_range
from aejax.penalties.code_selection import Select, selected_encoder
from aejax.penalties.contractive import squared_jacobian_norm
from aejax.penalties.estimation import check_samples
from aejax.types import Array, Pass, Penalty


def squared_jacobian_change(
    encode: Callable[[Array], Array],
    x: Float[Array, "batch *input"],
    displacement: Float[Array, "batch *input"],
) -> Float[Array, " batch"]:
    """‖J(x) − J(x + ε)‖²_F for one displacement ε per example, with the exact J = ∂h/∂x.

    Args:
        encode: [batch, *input] -> code [batch, *code], independent for each example.
        x: examples.
        displacement: displacement ε of each example.

    Returns:
        One value per example.

    Source: Rifai, Mesnil et al. 2011 (Higher order contractive auto-encoder).
    """

    def change_of_one(x: Array, displacement: Array) -> Array:
        # The Jacobian of h(x) − h(x + ε) for constant ε is J(x) − J(x + ε).
        return squared_jacobian_norm(lambda x: encode(x) - encode(x + displacement), x[None])[0]

    return jax.vmap(change_of_one)(x, displacement)


def higher_order_contractive(
    *, sigma: float | Array, samples: int = 1, select: Select = jax.nn.identity
) -> Penalty:
    """Higher-order contractive penalty E_ε ‖J(x) − J(x + ε)‖²_F at the clean x, ε ~ N(0, σ² I).

    The expectation is estimated by the mean over samples of ε. For small σ it is σ² times the
    squared norm of the encoder's second derivatives. Used together with `contractive`.

    Args:
        sigma: standard deviation σ ≥ 0 of the displacements, in units of x.
        samples: number of displacements per example.
        select: code -> the array of the code's pytree that is penalised (default: the code).

    Returns:
        The penalty, one value per example: [batch]. It uses the key of the `Pass`.

    Raises:
        ValueError: for a concrete σ below 0 or not finite, or fewer than one sample.

    Source: Rifai, Mesnil et al. 2011 (Higher order contractive auto-encoder).
    """
    check_range("higher-order contractive sigma", sigma, 0, sys.float_info.max)
    check_samples(samples)

    def penalty(record: Pass) -> Array:
        x = record.batch.x
        noise = jax.random.normal(record.key, (samples, *x.shape), x.dtype)
        changes = jax.vmap(squared_jacobian_change, in_axes=(None, None, 0))(
            selected_encoder(record, select), x, jnp.asarray(sigma, x.dtype) * noise
        )
        return jnp.mean(changes, axis=0)

    return penalty
