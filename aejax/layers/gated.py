"""Gated activation of a dictionary: one map decides whether a unit is active, another how much."""

import jax
import jax.numpy as jnp

from aejax.layers.code_activations import CodeActivation
from aejax.types import Array, Params


def gated() -> CodeActivation:
    """Gated activation: h_l = 1[π_l > 0] max(u_l exp(r_l) + b_mag,l, 0).

    π = u + b are the pre-activations, with u = (x − c) W_e. The gate passes no gradient: train it
    with `penalties.gate_l1` and `penalties.gate_reconstruction`.

    Returns:
        The `CodeActivation`, with the parameters "log_scale" r and "magnitude_bias" b_mag.

    Example:
        >>> import aejax, jax, jax.numpy as jnp
        >>> model = aejax.dictionary(4, 3, activation=aejax.gated())
        >>> sorted(model.init(jax.random.key(0))["encoder"])
        ['bias', 'kernel', 'log_scale', 'magnitude_bias']

    Source: Rajamanoharan, Conmy et al. 2024.
    """

    def apply(encoder: Params, z: Array) -> Array:
        bias, log_scale, magnitude_bias = (
            encoder[name].astype(z.dtype) for name in ("bias", "log_scale", "magnitude_bias")
        )
        magnitude = jax.nn.relu((z - bias) * jnp.exp(log_scale) + magnitude_bias)
        return jnp.where(z <= 0, jnp.zeros_like(z), magnitude)  # NaN is not hidden

    return CodeActivation(
        lambda units, dtype: {
            "log_scale": jnp.zeros(units, dtype),
            "magnitude_bias": jnp.zeros(units, dtype),
        },
        apply,
    )
