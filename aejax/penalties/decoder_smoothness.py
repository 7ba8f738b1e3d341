"""Penalties of a regularised deterministic autoencoder: norm of the code, slope of the decoder."""

import jax
import jax.numpy as jnp

from aejax.penalties.code_selection import Select, selected_array
from aejax.penalties.contractive import squared_jacobian_norm
from aejax.types import Array, Pass, Penalty


def code_norm(*, select: Select = jax.nn.identity) -> Penalty:
    """Half the squared norm of the code: ‖z‖² / 2, the divergence of a posterior of fixed variance.

    With `l2(select=lambda params: kernels(params["decoder"]))` it is the RAE-L2, with
    `decoder_gradient()` the RAE-GP.

    Args:
        select: code -> the array of the code's pytree (default: the code itself).

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: from the penalty, if the code is not one array.

    Source: Ghosh et al. 2020.
    """

    def penalty(record: Pass) -> Array:
        z = selected_array(record.code, select)
        return jnp.sum(jnp.square(z), axis=range(1, z.ndim)) / 2

    return penalty


def decoder_gradient() -> Penalty:
    """Half the squared norm of the Jacobian of the decoder at the latent: ‖∂decode(z)/∂z‖²_F / 2.

    It takes one derivative of the decoder per unit of the code.

    Returns:
        The penalty, one value per example: [batch].

    Raises:
        ValueError: from the penalty, if the latent is not one array.

    Source: Ghosh et al. 2020 (gradient penalty).
    """

    def penalty(record: Pass) -> Array:
        z = selected_array(record.latent, jax.nn.identity)
        return squared_jacobian_norm(lambda z: record.model.decode(record.params, z), z) / 2

    return penalty
